# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the gateway that span variables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import Rules, read_clients
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.common import Controller
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.gateway import (
    check,
    judge_bind,
    judge_body,
    judge_credentials,
    judge_limits,
    judge_paths,
    judge_tls,
    useless_limits,
)

from tests.collection import ROOT

DEFAULTS = yaml.safe_load((ROOT / "roles/ollama_gateway/defaults/main.yml").read_text(encoding="utf-8"))

PASSWORD = {"name": "bob", "password": "x"}
KEYS = {"name": "bob", "keys": [{"id": "k"}]}
BOTH = {**PASSWORD, **KEYS}
NEITHER = {"name": "bob", "keys": []}
CERTIFIED = {"name": "bob", "certificates": ["CN=bob"]}


def problems(auth: str, client: dict[str, Any], engine: str = "", certificates: str = "none") -> list[str]:
    found = Problems()
    clients = read_clients([client], "ollama_gateway_clients", Rules(scheme="sha512_crypt", keys=True), found)
    judge_credentials(clients, auth, engine or ("nginx" if auth == "basic" else "openresty"), certificates, found)
    return found


def told(judge: Callable[..., None], *values: Any) -> list[str]:
    """What is wrong with the values."""
    found = Problems()
    judge(*values, found)
    return found


@pytest.mark.parametrize(
    ("auth", "client"),
    [
        ("basic", PASSWORD),
        ("basic", {**PASSWORD, "models": ["tiny", "*"]}),
        ("both", {**BOTH, "models": ["tiny"]}),
        ("bearer", KEYS),
        ("both", PASSWORD),
        ("both", KEYS),
        ("both", BOTH),
    ],
)
def test_a_client_with_what_the_gateway_accepts_is_fine(auth: str, client: dict[str, Any]) -> None:
    assert problems(auth, client) == []


@pytest.mark.parametrize(
    ("auth", "client", "reason"),
    [
        ("basic", BOTH, "keys need ollama_gateway_auth bearer or both"),
        ("basic", {**PASSWORD, "models": ["tiny"]}, "models need ollama_gateway_engine openresty"),
        ("basic", {**PASSWORD, "scopes": ["metrics"]}, "the scope metrics needs ollama_gateway_engine openresty"),
        ("bearer", BOTH, "a password needs ollama_gateway_auth basic or both"),
        ("basic", NEITHER, "with ollama_gateway_auth basic a client needs a password"),
        ("bearer", NEITHER, "with ollama_gateway_auth bearer a client needs at least one key"),
        ("both", NEITHER, "with ollama_gateway_auth both a client needs a password, or at least one key"),
    ],
)
def test_a_client_with_anything_else_is_refused_by_name_and_variable(
    auth: str, client: dict[str, Any], reason: str
) -> None:
    (problem,) = problems(auth, client)
    assert problem.startswith(f"ollama_gateway_clients[0] (bob): {reason}")


@pytest.mark.parametrize(
    ("certificates", "client"),
    [
        ("any", CERTIFIED),
        ("any", KEYS),
        ("any", {**CERTIFIED, **KEYS}),
        ("all", {**CERTIFIED, **KEYS}),
        ("all", {**CERTIFIED, **PASSWORD}),
    ],
)
def test_a_certificate_is_enough_or_needed_as_the_variable_says(certificates: str, client: dict[str, Any]) -> None:
    assert problems("both", client, certificates=certificates) == []


@pytest.mark.parametrize(
    ("certificates", "client", "reason"),
    [
        (
            "none",
            CERTIFIED,
            "certificates need ollama_gateway_client_ca, the CA that signs them; remove the certificates",
        ),
        ("none", {**CERTIFIED, **KEYS}, "certificates need ollama_gateway_client_ca"),
        (
            "any",
            NEITHER,
            "with ollama_gateway_auth bearer a client needs at least one key, such as keys: [{id: main}], or",
        ),
        ("all", CERTIFIED, "with ollama_gateway_auth bearer a client needs at least one key"),
        ("all", KEYS, "with ollama_gateway_client_certificates all a client needs a certificate, such as certificates"),
    ],
)
def test_a_certificate_too_many_or_too_few_is_told_with_its_variable(
    certificates: str, client: dict[str, Any], reason: str
) -> None:
    (problem,) = problems("bearer", client, certificates=certificates)
    assert problem.startswith(f"ollama_gateway_clients[0] (bob): {reason}")
    assert problem.endswith(", or a certificate") is (certificates == "any")


def test_models_and_metrics_of_a_client_with_a_password_need_openresty_only() -> None:
    assert problems("basic", {**PASSWORD, "models": ["tiny"]}, "openresty") == []
    assert problems("basic", {**PASSWORD, "scopes": ["metrics"]}, "openresty") == []
    # One with all scopes may be there on both.
    assert problems("basic", {**PASSWORD, "scopes": ["admin"]}) == []


def test_an_absent_client_and_a_client_whose_keys_are_all_revoked_need_nothing() -> None:
    assert problems("basic", {"name": "bob", "state": "absent"}) == []
    assert problems("bearer", {"name": "bob", "keys": [{"id": "k", "state": "absent"}]}) == []


LIMITED: dict[str, Any] = {**KEYS, "limits": {"tokens_per_day": 9, "models": {"tiny": {"tokens_per_minute": 5}}}}


class TestLimits:
    @staticmethod
    def told(engine: str, *clients: dict[str, Any], usage: bool = True, **defaults: Any) -> list[str]:
        found = Problems()
        read = read_clients(list(clients), "ollama_gateway_clients", Rules(keys=True), found)
        judge_limits(read, defaults, engine, usage, found)
        return found

    def test_openresty_keeps_all_of_them(self) -> None:
        assert self.told("openresty", LIMITED, requests_per_minute=1) == []

    def test_plain_nginx_keeps_none_and_each_is_told_by_its_place(self) -> None:
        text = (
            "limits need ollama_gateway_engine openresty, since nginx counts nothing; "
            "remove the limits or change ollama_gateway_engine"
        )
        assert self.told("nginx", LIMITED, requests_per_minute=1, usage=False) == [
            f"ollama_gateway_default_limits: {text}",
            f"ollama_gateway_clients[0] (bob): {text}",
        ]

    def test_all_need_that_requests_are_counted(self) -> None:
        need = "limits need ollama_gateway_usage, and it is false; remove the limits or change ollama_gateway_usage"
        assert self.told("openresty", LIMITED, usage=False, keep_alive=1) == [
            f"ollama_gateway_default_limits: {need}",
            f"ollama_gateway_clients[0] (bob): {need}",
        ]

    @pytest.mark.parametrize("client", [{**LIMITED, "state": "absent"}, {**KEYS, "limits": {"tokens_per_day": None}}])
    def test_who_is_gone_or_lifts_the_default_needs_nothing(self, client: dict[str, Any]) -> None:
        assert self.told("nginx", client) == []
        assert self.told("openresty", client, usage=False) == []

    @pytest.mark.parametrize(
        ("models", "pattern", "useless"),
        [
            (["tiny", "qwen3*"], "llama3.3*", True),
            (["tiny", "qwen3*"], "tiny:7b", True),
            (["tiny", "qwen3*"], "q*", False),
            (["*"], "llama3.3*", False),
        ],
    )
    def test_limits_of_models_that_the_client_may_not_use_are_told_with_both(
        self, models: list[str], pattern: str, useless: bool
    ) -> None:
        client = {**KEYS, "models": models, "limits": {"models": {pattern: {"tokens_per_day": 1}}}}
        said = useless_limits(read_clients([client], "clients", Rules(), Problems()))
        text = (
            f"clients[0] (bob): limits: {pattern} means none of the client's models (tiny, qwen3*), so that these "
            "limits never count; correct one of the two"
        )
        assert said == ([text] if useless else [])

    def test_a_pattern_that_lifts_the_default_is_no_mistake(self) -> None:
        client = {**KEYS, "models": ["tiny"], "limits": {"models": {"qwen3*": None, "llama3*": {}}}}
        assert useless_limits(read_clients([client], "clients", Rules(), Problems())) == []


IN_PATH: dict[str, Any] = {"name": "bob", "keys": [{"id": "cli", "in_path": True}, {"id": "k"}]}


class TestKeysInThePath:
    PLACE = "ollama_gateway_clients[0].keys[0] (bob.cli): "

    @staticmethod
    def told(tls: str, engine: str, client: dict[str, Any]) -> list[str]:
        found = Problems()
        read = read_clients([client], "ollama_gateway_clients", Rules(keys=True), found)
        judge_paths(read, tls, engine, found)
        return found

    @pytest.mark.parametrize("tls", ["self_signed", "provided", "acme"])
    def test_with_https_and_openresty_they_are_fine(self, tls: str) -> None:
        assert self.told(tls, "openresty", IN_PATH) == []

    def test_without_https_each_is_refused_with_both_ways_out(self) -> None:
        (problem,) = self.told("off", "openresty", IN_PATH)
        assert problem.startswith(self.PLACE + "in_path needs HTTPS")
        assert problem.endswith("; set ollama_gateway_tls, or remove in_path")

    def test_plain_nginx_takes_none(self) -> None:
        (problem,) = self.told("self_signed", "nginx", IN_PATH)
        assert problem.startswith(self.PLACE + "in_path needs ollama_gateway_engine openresty")

    @pytest.mark.parametrize(
        "client",
        [
            KEYS,
            {**IN_PATH, "state": "absent"},
            {**IN_PATH, "keys": [{**IN_PATH["keys"][0], "state": "absent"}]},
            {**IN_PATH, "keys": [{"id": "cli", "in_path": "no"}]},
        ],
        ids=["no key", "absent client", "absent key", "false"],
    )
    def test_where_there_is_none_nothing_is_needed(self, client: dict[str, Any]) -> None:
        assert self.told("off", "nginx", client) == []


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_needs_no_permission(bind: str) -> None:
    assert told(judge_bind, bind, False, "off") == []


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"])
def test_beyond_loopback_the_error_names_both_ways_out(bind: str) -> None:
    (problem,) = told(judge_bind, bind, False, "off")
    assert problem.startswith(f"ollama_gateway_bind: {bind} can be reached from other hosts")
    assert "set ollama_gateway_tls (self_signed, provided or acme)" in problem
    assert "ollama_gateway_allow_plaintext: true" in problem
    assert told(judge_bind, bind, True, "off") == []


@pytest.mark.parametrize("bind", ["", "localhost", "gateway.example.org", "[::1]", "127.0.0.1:80", "eth0"])
def test_what_docker_does_not_take_as_an_address_is_refused(bind: str) -> None:
    assert "must be an IP address" in str(told(judge_bind, bind, True, "off"))


@pytest.mark.parametrize("tls", ["self_signed", "provided", "acme"])
def test_with_tls_any_address_needs_no_permission(tls: str) -> None:
    assert told(judge_bind, "0.0.0.0", False, tls) == []
    assert "must be an IP address" in str(told(judge_bind, "eth0", False, tls))


OFF: dict[str, Any] = {
    "tls": "off",
    "server_names": [],
    "engine": "openresty",
    "port": 8880,
    "http_port": 0,
    "hsts": 0,
    "http3": False,
    "tls_certificate": "",
    "tls_private_key": "",
    "acme_terms_agreed": False,
    "acme_eab_key_id": "",
    "acme_eab_hmac_key": "",
    "client_ca": "",
    "client_crl": "",
    "client_certificates": "any",
}
SELF_SIGNED = {**OFF, "tls": "self_signed"}
PROVIDED = {**OFF, "tls": "provided", "tls_certificate": "x", "tls_private_key": "x"}
ACME = {**OFF, "tls": "acme", "server_names": ["a.example.org"], "http_port": 80, "acme_terms_agreed": True}
EAB = {
    "acme_eab_key_id": "kid-1",
    "acme_eab_hmac_key": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W",
}


@pytest.mark.parametrize(
    "options",
    [
        OFF,
        {**OFF, "tls_certificate": "ignored", "acme_terms_agreed": True, "server_names": ["a.example.org"]},
        SELF_SIGNED,
        {**SELF_SIGNED, "hsts": 60, "http3": True, "http_port": 80, "port": 443, "server_names": ["gateway", "::1"]},
        {**SELF_SIGNED, "client_ca": "x", "client_crl": "x", "client_certificates": "all"},
        PROVIDED,
        {**PROVIDED, "server_names": ["*.example.org", "192.0.2.7", "xn--bcher-kva.example", "A1.example"]},
        ACME,
        {**ACME, **EAB},
        {**ACME, **EAB, "acme_eab_hmac_key": "AAA="},
    ],
)
def test_variables_of_tls_that_go_together_are_fine(options: dict[str, Any]) -> None:
    assert told(judge_tls, options) == []


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({**OFF, "hsts": 60}, "hsts: browsers heed it over TLS only"),
        ({**OFF, "http3": True}, "http3: HTTP/3 is always encrypted"),
        ({**OFF, "http_port": 80}, "http_port: it leads to HTTPS"),
        ({**SELF_SIGNED, "http_port": 8880}, "http_port: it is 8880 as ollama_gateway_port is"),
        ({**SELF_SIGNED, "http_port": 65536}, "http_port: it must be from 0"),
        ({**SELF_SIGNED, "http_port": -1}, "http_port: it must be from 0"),
        ({**OFF, "client_ca": "x"}, "client_ca: client certificates need TLS"),
        (
            {**SELF_SIGNED, "client_ca": "x", "engine": "nginx"},
            "client_ca: client certificates need ollama_gateway_engine",
        ),
        ({**SELF_SIGNED, "client_crl": "x"}, "client_crl: it needs ollama_gateway_client_ca"),
        ({**SELF_SIGNED, "client_certificates": "all"}, "client_certificates: all: it needs ollama_gateway_client_ca"),
        ({**PROVIDED, "tls_certificate": ""}, "tls_certificate: ollama_gateway_tls provided needs it"),
        ({**PROVIDED, "tls_private_key": ""}, "tls_private_key: ollama_gateway_tls provided needs it"),
        ({**ACME, "server_names": []}, "server_names: ollama_gateway_tls acme needs the DNS names"),
        ({**ACME, "server_names": ["a.example", "*.b.example"]}, "server_names: *.b.example is a wildcard"),
        ({**ACME, "server_names": ["a.example", "192.0.2.7"]}, "server_names: 192.0.2.7 is an IP address"),
        ({**ACME, "acme_terms_agreed": False}, "acme_terms_agreed: it must be true"),
        ({**ACME, "acme_eab_key_id": "x"}, "acme_eab_hmac_key: ollama_gateway_acme_eab_key_id needs it"),
        ({**ACME, "acme_eab_hmac_key": "AAAA"}, "acme_eab_key_id: ollama_gateway_acme_eab_hmac_key needs it"),
        ({**ACME, **EAB, "acme_eab_hmac_key": "se+ret/x"}, "acme_eab_hmac_key: it must be base64url, of A-Z"),
        ({**ACME, **EAB, "acme_eab_hmac_key": "AAAAA"}, "acme_eab_hmac_key: it must be base64url, of A-Z"),
        ({**SELF_SIGNED, "server_names": ["*.example.org"]}, "server_names: *.example.org is a wildcard"),
        ({**OFF, "server_names": ["*.example.org"]}, "server_names: *.example.org is a wildcard"),
        ({**PROVIDED, "server_names": ["a.example", "A.example"]}, "server_names: A.example is there twice"),
        ({**PROVIDED, "server_names": ["::1", "0:0::1"]}, "server_names: 0:0::1 is there twice"),
    ],
)
def test_variables_of_tls_that_do_not_go_together_are_refused_by_name(options: dict[str, Any], reason: str) -> None:
    (problem,) = told(judge_tls, options)
    assert problem.startswith(f"ollama_gateway_{reason}")
    assert "se+ret" not in problem


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("", ""),
        ("a..b", ""),
        ("-a.example", ""),
        ("a_b.example", ""),
        ("a b", ""),
        ("192.0.2.256", ""),
        ("192.0.2", ""),
        ("*", ""),
        ("*.example", ""),
        ("*.*.example.org", ""),
        ("a*.example.org", ""),
        ("x" * 64 + ".example", ""),
        (".".join(["x" * 50] * 6), ""),
        ("a.example;", ""),
        ("a.example\n", ""),
        ("a.example.", "; leave out the dot at its end"),
        ("bücher.example", "; write it as DNS has it, with xn--"),
        ("a.example:443", "; leave out the scheme, the port, the path and brackets"),
        ("https://a.example", "; leave out the scheme, the port, the path and brackets"),
        ("[::1]", "; leave out the scheme, the port, the path and brackets"),
        ("fe80::1%eth0", "; leave out the scheme, the port, the path and brackets"),
    ],
)
def test_what_is_no_name_is_refused_with_a_hint(name: str, hint: str) -> None:
    (problem,) = told(judge_tls, {**PROVIDED, "server_names": [name]})
    assert problem == f"ollama_gateway_server_names: {name} is neither a DNS name nor an IP address{hint}"


@pytest.mark.parametrize(
    ("size", "limit", "engine"),
    [
        ("64m", "", "openresty"),
        ("512M", "", "openresty"),
        ("64m", "256m", "openresty"),
        ("67108864", "256M", "openresty"),
        ("2g", "8g", "openresty"),
        ("1g", "", "nginx"),
        ("nonsense", "", "openresty"),
        ("64m", "nonsense", "openresty"),
    ],
)
def test_a_largest_body_that_fits_into_memory_is_fine(size: str, limit: str, engine: str) -> None:
    assert told(judge_body, size, limit, engine) == []


@pytest.mark.parametrize(
    ("size", "limit", "right"),
    [
        ("513m", "", ["at most 512m fit", "at least 2052m"]),
        ("64m", "128m", ["(128m)", "at least 256m", "at most 32768k"]),
        ("67108865", "256m", ["at least 257m", "at most 65536k"]),
        ("1G", "512000k", ["at least 4096m", "at most 128000k"]),
    ],
)
def test_a_largest_body_that_does_not_fit_into_memory_is_refused_with_what_would(
    size: str, limit: str, right: list[str]
) -> None:
    (problem,) = told(judge_body, size, limit, "openresty")
    assert problem.startswith(f"ollama_gateway_max_body_size: it is {size},")
    assert [text for text in right if text not in problem] == []


def checked(folder: Path, **changes: Any) -> list[str]:
    """What is wrong with the role's defaults, with changes."""
    values = {name.removeprefix("ollama_gateway_"): value for name, value in DEFAULTS.items()}
    controller = Controller(lambda path: None, lambda kind, path: str(folder), "run")
    return check({**values, **changes}, controller).problems


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        (
            {"openresty_image": "docker.io/openresty/openresty"},
            "openresty_image: it must be an image with a pinned tag",
        ),
        ({"openresty_image": "openresty:latest"}, "openresty_image: it must be an image with a pinned tag"),
        ({"auth": "basic", "nginx_image": "nginx:latest"}, "nginx_image: it must be an image with a pinned tag"),
        ({"engine": "nginx"}, "engine: it must be auto or openresty where ollama_gateway_auth is bearer or both"),
        ({"password_cache_ttl": -1}, "password_cache_ttl: it must be a number of seconds, or 0"),
        ({"wait_timeout": -1}, "wait_timeout: it must be a number of seconds, or 0 to have no request wait"),
        ({"auth_failures": -1}, "auth_failures: it must be a number of tries a minute, or 0"),
        ({"drain_timeout": -1}, "drain_timeout: it must be a number of seconds, or 0 to cut off"),
        ({"nginx_password_rate": -1}, "nginx_password_rate: it must be a number of requests a second, or 0"),
        ({"address_connections": -1}, "address_connections: it must be a number of requests at the same time"),
        ({"tls": "self_signed", "hsts": -1}, "hsts: it must be a number of seconds, or 0"),
        ({"network": "a b"}, "network: it must be the name of a Docker network"),
        ({"read_timeout": 300}, "read_timeout: it must be more than the 300 seconds"),
        ({"max_body_size": "1.5m"}, "max_body_size: it must be a size such as 64m"),
        ({"max_body_size": "64m\n"}, "max_body_size: it must be a size such as 64m"),
        ({"memory_limit": "lots"}, "memory_limit: it must be a size of 6m or more"),
        ({"cpu_limit": "two"}, "cpu_limit: it must be a number of processors such as 1.5"),
        ({"user_id": 999}, "user_id: it must be 1000 or more"),
        ({"port": 65536}, "port: it must be a port from 1 to 65535"),
        ({"acme_directory": "http://ca.example"}, "acme_directory: it must be the URL of an ACME directory"),
        ({"acme_email": "nobody"}, "acme_email: it must be an email address, or empty"),
        ({"dir": "/opt"}, "dir: it must be an absolute path of its own"),
        ({"dir": "/opt/a:b"}, "dir: it must be an absolute path of its own"),
        ({"upstreams": []}, "upstreams: it is empty. It must be a list of at least one server"),
        *(
            ({"usage_keep": keep}, "usage_keep: it must be a number of days from 1d to 10000d, such as 400d")
            for keep in ("0d", "10001d", "400", "400h", "1.5d", "-1d", "forever", "", "400d\n", "\u0664d")
        ),
        ({"usage_since": "tomorrow"}, "usage_since: it must be a day such as 2026-11-30, "),
        ({"usage_until": "7d"}, "usage_until: it must be a day such as 2026-11-30, "),
        ({"usage_until": "2026-01-01"}, "usage_since: "),
        ({"usage_by": ["clients"]}, "usage_by: it must be one or more of client, key, model, day, each once"),
        ({"usage_clients": [{"name": "alice"}]}, "usage_clients: it must be a list of names of clients"),
        ({"default_limits": {"tokens_a_day": 1}}, "default_limits: 'tokens_a_day' is unknown here; is tokens_per_day"),
        ({"default_limits": {"max_context": True}}, "default_limits: max_context must be a whole number from 1 to"),
        (
            {"auth": "basic", "default_limits": {"max_context": 1}},
            "default_limits: limits need ollama_gateway_engine openresty, since nginx counts nothing",
        ),
        (
            {"usage": False, "default_limits": {"requests_per_minute": 1}},
            "default_limits: limits need ollama_gateway_usage, and it is false",
        ),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_is_refused_with_what_would_be_right(
    changes: dict[str, Any], right: str, tmp_path: Path
) -> None:
    (problem,) = checked(tmp_path, **changes)
    assert problem.startswith(f"ollama_gateway_{right}")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"auth": "basic", "openresty_image": "not looked at"},
        {"openresty_image": "docker.io/openresty/openresty@sha256:" + "0" * 64},
        {"max_body_size": "1048576", "memory_limit": "1.5g", "cpu_limit": "1.5", "acme_email": "a@example.com"},
        {"tls": "acme", "server_names": ["a.example.org"], "acme_terms_agreed": True},
        {"usage_keep": "1d", "usage_since": "2026-01-01", "usage_until": "2026-01-31", "usage_by": ["day", "key"]},
        {"usage_keep": "10000d", "usage_since": "", "usage_until": "2026-01-31", "usage_clients": ["alice"]},
        {"default_limits": {"tokens_per_day": "1000", "keep_alive": 0, "models": {"tiny": {"concurrent_requests": 1}}}},
        {"auth": "basic", "engine": "openresty", "default_limits": {"tokens_per_day": 1000}},
        {"auth": "basic", "usage": False, "default_limits": {"tokens_per_day": None}},
    ],
    ids=str,
)
def test_values_that_can_be_are_taken(changes: dict[str, Any], tmp_path: Path) -> None:
    assert checked(tmp_path, **changes) == []


@pytest.mark.parametrize(
    ("password", "refused"), [("abcdefg", True), ("Alice-Liddell", True), ("abcdefgh", False), ("pässwörd", False)]
)
def test_a_weak_password_is_refused_unless_that_is_allowed(password: str, refused: bool, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"auth": "basic", "clients": [{"name": "alice-liddell", "password": password}]}
    problems = checked(tmp_path, **changes)
    assert [("too weak" in one, "alice-liddell" in one, password in one) for one in problems] == (
        [(True, True, False)] if refused else []
    )
    assert checked(tmp_path, **changes, allow_weak_secrets=True) == []


ORIGIN = "https://chat.example.com"
EXTENSION = "chrome-extension://abcdefghijklmnopabcdefghijklmnop"
ORIGINS = [ORIGIN, "app://obsidian.md", "tauri://localhost", EXTENSION]


@pytest.mark.parametrize(
    ("origin", "wanted"),
    [
        *((origin, True) for origin in [*ORIGINS, "http://localhost:3000", "http://[::1]:8080", "https://10.0.0.1"]),
        *(
            (origin, True)
            for origin in ["capacitor://localhost", "moz-extension://6f0d2a6e-1b7f-4f8e-9d8f-0a1b2c3d4e5f"]
        ),
        *((origin, True) for origin in ["safari-web-extension://6F0D2A6E-1B7F", "vscode-webview://1ab", "app://x:1"]),
        *((ORIGIN + end, False) for end in ("/", "/path", "?x", "#x", ":", ":port", ":123456", " ", "\n", "\nx")),
        *(
            (origin, False)
            for origin in ("", " ", "*", "null", "https://*", "*://x", "https://", "app://", "://x", "x")
        ),
        *(
            (origin, False)
            for origin in ("HTTPS://x", "https://X", "App://x", "app:x", "app:///x", "app://x/y", "1app://x")
        ),
        *((origin, False) for origin in ('app://x"', "app://x;", "app://x y", "app://$x", "app://u@x", "https://ü")),
    ],
)
def test_an_origin_is_one_that_a_browser_or_a_desktop_program_sends(origin: str, wanted: bool, tmp_path: Path) -> None:
    problems = checked(tmp_path, cors_origins=[ORIGIN, origin])
    assert [one.split(":")[0] for one in problems] == ([] if wanted else ["ollama_gateway_cors_origins"])


NEED_BEARER = "keys need ollama_gateway_auth bearer or both"


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"tls": "self_signed"}, []),
        ({}, ["in_path needs HTTPS"]),
        ({"tls": "self_signed", "engine": "nginx"}, ["it must be auto or openresty", "in_path needs"]),
        ({"tls": "self_signed", "auth": "basic"}, [NEED_BEARER, "in_path needs"]),
        ({"tls": "self_signed", "auth": "basic", "engine": "openresty"}, [NEED_BEARER]),
    ],
    ids=str,
)
def test_a_key_in_the_path_needs_https_and_a_gateway_that_takes_keys(
    changes: dict[str, Any], reasons: list[str], tmp_path: Path
) -> None:
    found = [one.split(": ", 1)[1] for one in checked(tmp_path, clients=[IN_PATH], **changes)]
    assert [reason for reason, one in zip(reasons, found, strict=True) if not one.startswith(reason)] == []


def test_the_names_of_all_limits_that_count_are_returned(tmp_path: Path) -> None:
    values = {name.removeprefix("ollama_gateway_"): value for name, value in DEFAULTS.items()}
    controller = Controller(lambda path: None, lambda kind, path: str(tmp_path), "run")
    assert check(values, controller).result == {"limits": []}
    bob = {**KEYS, "limits": {"keep_alive": None, "models": {"tiny": {"tokens_per_day": 1}}}}
    gone = {"name": "alice", "state": "absent", "limits": {"max_context": 1}}
    found = check({**values, "clients": [bob, gone], "default_limits": {"keep_alive": "1m"}}, controller)
    # Whoever is not named has the default, though bob has not.
    assert (found.problems, found.result) == ([], {"limits": ["keep_alive", "tokens_per_day"]})
