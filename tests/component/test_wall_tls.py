# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall's attacks over TLS: the role's configuration withstands all of them, and what is changed in it is found."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Result
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.table import hole, summary

from tests.certificates import DAY, Authority, now
from tests.component import rendering
from tests.component.contract.standins import Standin
from tests.component.gateways import Gateway, with_tls
from tests.component.test_wall import Attacked, server

__all__ = ["server"]

NAME = "gateway.example"


class AttackedOverTls(Attacked):
    """A gateway that speaks HTTPS, with the wall's clients."""

    def attack(self, **options: Any) -> list[Result]:
        plain = self.gateway.variables["__ollama_gateway_http_listen"].split(":")[1]
        return super().attack(
            url=f"https://{self.gateway.address}",
            certificate=str(self.gateway.folder / "tls" / "server.pem"),
            http_port=int(plain),
            keys_in_path=rendering.value("__ollama_gateway_takes_keys_in_path", **self.gateway.variables),
            **{"server_name": NAME, **options},
        )


@contextlib.contextmanager
def attacked(folder: Path, auth: str, server: Standin, **variables: Any) -> Iterator[AttackedOverTls]:
    authority = Authority()
    names = [NAME, "127.0.0.1", "*.wild.example"]
    one = Gateway(
        folder,
        auth,
        server.address,
        **with_tls(names),
        __ollama_gateway_routes=rendering.value("__ollama_gateway_routes"),
        ollama_gateway_http_port=80,
        **variables,
    )
    if "ollama_gateway_client_ca" in variables:
        one.put(one.folder / "conf" / "client_ca.pem", variables["ollama_gateway_client_ca"])
    one.present(authority.issue(*names), authority)
    with one.running():
        yield AttackedOverTls(one)


def _cut(gateway: Gateway, file: str, old: str, new: str) -> None:
    path = gateway.folder / "conf" / file
    text = path.read_text()
    assert old in text
    gateway.put(path, text.replace(old, new))
    gateway.reload()
    time.sleep(1)


@pytest.mark.parametrize("auth", ["basic", "both"])
def test_a_sound_gateway_withstands_every_attack(auth: str, server: Standin, tmp_path: Path) -> None:
    with attacked(tmp_path / "gateway", auth, server) as one:
        begun = time.monotonic()
        results = one.attack()
        assert hole(results) == ""
        assert [line.split(":")[0] for line in summary(results)][:3] == ["✓ TLS", "✓ HTTP/3", "✓ plain port"]
        assert len(results) > 600
        assert time.monotonic() - begun < 60
        # By an address, for which there is no SNI, and by a name that a wildcard covers.
        for name in ("127.0.0.1", "any.wild.example"):
            assert hole(one.attack(server_name=name, routes=[])) == ""


@pytest.mark.parametrize("auth", ["basic", "both"])
def test_an_old_version_is_found(auth: str, server: Standin, tmp_path: Path) -> None:
    with attacked(tmp_path / "gateway", auth, server) as one:
        _cut(one.gateway, "tls.conf", "ssl_protocols TLSv1.2", "ssl_protocols TLSv1.1 TLSv1.2")
        _cut(one.gateway, "tls.conf", "ssl_ciphers ", "ssl_ciphers ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0:")
        found = hole(one.attack())
    assert found.startswith("The wall has a hole (TLS): a handshake with TLS 1.1.\n")
    assert "Came back:\n    a ServerHello, version 0302" in found


def test_a_weak_cipher_suite_is_found(server: Standin, tmp_path: Path) -> None:
    with attacked(tmp_path / "gateway", "bearer", server) as one:
        _cut(one.gateway, "tls.conf", "ssl_ciphers ", "ssl_ciphers aNULL+AES:@SECLEVEL=0:")
        found = hole(one.attack())
    assert found.startswith("The wall has a hole (TLS): a handshake with cipher suites without a certificate.")


def test_a_gateway_that_goes_by_any_name_is_found(server: Standin, tmp_path: Path) -> None:
    with attacked(tmp_path / "gateway", "bearer", server) as one:
        _cut(one.gateway, "nginx.conf", f"server_name {NAME}", f"server_name ~. {NAME}")
        found = hole(one.attack())
    assert found.startswith("The wall has a hole (TLS): bearer: Host is gatehouse-wall.invalid.")
    assert "Expected: 421 or another refusal." in found


def test_a_redirect_to_whatever_is_asked_for_is_found(server: Standin, tmp_path: Path) -> None:
    with attacked(tmp_path / "gateway", "bearer", server) as one:
        _cut(one.gateway, "tls.conf", f"server_name {NAME}", f"server_name ~. {NAME}")
        found = hole(one.attack())
    assert found.startswith("The wall has a hole (plain port): Host: gatehouse-wall.invalid.")


@pytest.mark.parametrize("what", ["expired", "unknown", "not checked"])
def test_a_client_certificate_that_is_not_to_be_accepted(what: str, server: Standin, tmp_path: Path) -> None:
    authority = Authority("Clients")
    signer = authority if what == "expired" else Authority("Others")
    begin, end = (now() - 2 * DAY, now() - DAY) if what == "expired" else (None, None)
    bad = signer.issue(subject="CN=gatehouse-wall-admin", client=True, begin=begin, end=end)
    with attacked(tmp_path / "gateway", "bearer", server, ollama_gateway_client_ca=authority.pem) as one:
        if what == "not checked":
            _cut(one.gateway, "tls.conf", "ssl_verify_client optional;", "ssl_verify_client optional_no_ca;")
        found = hole(one.attack(client_certificate=bad.pem + bad.key_pem))
    if what == "not checked":
        name = "bearer: beside a client certificate that is not to be accepted"
        assert found.startswith(f"The wall has a hole (TLS): {name}.")
    else:
        assert found == ""


def test_a_key_that_may_not_stand_in_the_path_and_does_is_found(server: Standin, tmp_path: Path) -> None:
    with attacked(tmp_path / "gateway", "bearer", server) as one:
        path = one.gateway.folder / "lua" / "gatehouse" / "authenticator.lua"
        text = path.read_text()
        assert text.count("not entry.in_path") == 1
        one.gateway.put(path, text.replace("not entry.in_path", "false"))
        one.gateway.reload()
        time.sleep(1)
        found = hole(one.attack())
        assert found.startswith("The wall has a hole (keys in the path): GET /key/<key>/api/version with inference.")
        assert "/key/<inference>/api/version" in found


def test_credentials_in_the_log_are_found(server: Standin, tmp_path: Path) -> None:
    with attacked(tmp_path / "gateway", "bearer", server) as one:
        _cut(one.gateway, "nginx.conf", '"path":"$log_path"', '"path":"$request_uri"')
        found = hole(one.attack())
        assert found.startswith("The wall has a hole (log): the credentials that were sent.")
