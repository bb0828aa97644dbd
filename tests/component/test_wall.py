# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall's attacks: a sound gateway withstands all of them, and each hole that is cut into one is found."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.clients import credential_files, make_up
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import read_url
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Budget, Result
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.table import hole
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.wall import Wall

from tests.component import rendering
from tests.component.contract.standins import Standin, registry, standin
from tests.component.gateways import Gateway, gateway

KINDS = {"basic": ["basic"], "bearer": ["bearer"], "both": ["basic", "bearer"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    root = tmp_path_factory.mktemp("ollama")
    with registry() as source, standin(root / "models", STANDIN_REGISTRY=f"http://{source.address}") as one:
        assert one.run("pull", "tiny").returncode == 0
        yield one


class Attacked:
    """A gateway with the wall's clients."""

    def __init__(self, entrance: Gateway) -> None:
        self.gateway = entrance
        now = datetime.datetime.now(datetime.timezone.utc)
        limits = entrance.image == "openresty"
        made = make_up(KINDS[entrance.auth], now, datetime.timedelta(minutes=5), limits_models=limits)
        self.credentials = made["credentials"]
        there = made["kept"]
        limited = {one["name"]: one["models"] for one in there if "models" in one}
        entrance.allow({one["name"]: one["scopes"] for one in there}, limited)
        files = {"api_keys": "", "htpasswd": "", **credential_files(there, KINDS[entrance.auth], now)}
        for name, content in files.items():
            entrance.write(name, content.splitlines())

    def attack(self, **options: Any) -> list[Result]:
        everything: dict[str, Any] = {
            "url": f"http://{self.gateway.address}",
            "routes": rendering.value("__ollama_gateway_routes"),
            "credentials": self.credentials,
            "allow_account_routes": False,
            "own_routes": self.gateway.image == "openresty",
            "side_doors": [],
            "request_timeout": 5,
            "auth_failures": self.gateway.variables["ollama_gateway_auth_failures"],
            "rewrite": str(self.gateway.folder / "clients" / "clients.json"),
            **options,
        }
        self.wall = Wall(read_url(everything["url"]), everything, None, lambda: self.gateway.logs().encode())
        return self.wall.attack(Budget(10000, 2000, 120))


@pytest.fixture(params=["basic", "bearer", "both"])
def attacked(request: pytest.FixtureRequest, server: Standin, tmp_path: Path) -> Iterator[Attacked]:
    routes = rendering.value("__ollama_gateway_routes")
    with gateway(tmp_path / "gateway", request.param, server.address, __ollama_gateway_routes=routes) as one:
        yield Attacked(one)


@pytest.mark.parametrize("limit", [2, 10])
def test_a_gateway_that_slows_down_who_fails_is_attacked_as_thoroughly(
    limit: int, server: Standin, tmp_path: Path
) -> None:
    variables = {
        "__ollama_gateway_routes": rendering.value("__ollama_gateway_routes"),
        "ollama_gateway_auth_failures": limit,
    }
    with gateway(tmp_path / "gateway", "both", server.address, **variables) as one:
        attacked = Attacked(one)
        results = attacked.attack()
        assert [result for result in results if not result.held] == []
        assert len(results) > 1500
        # It does count, and says 429 instead of the 401 that was expected.
        assert hole(attacked.attack(auth_failures=0))


@pytest.mark.parametrize("auth", ["bearer", "both"])
def test_an_attack_without_credentials_is_no_failed_try(auth: str, server: Standin, tmp_path: Path) -> None:
    """At a gateway that others use from the same address: who failed 9 times of 10 has one try left."""
    variables = {
        "__ollama_gateway_routes": rendering.value("__ollama_gateway_routes"),
        "ollama_gateway_auth_failures": 10,
    }
    with gateway(tmp_path / "gateway", auth, server.address, **variables) as one:
        attacked = Attacked(one)
        # What was just written is read once more, and has all tries forgotten.
        time.sleep(2)
        assert {one.status("Bearer " + "w" * 40) for _ in range(9)} == {401}
        results = attacked.attack(credentials=[], rewrite=None, auth_failures=0)
        assert hole(results) == ""
        assert {result.kind for result in results} == {
            "no credential",
            "path tricks",
            "routes that are none",
            "smuggling",
            "workers",
        }
        assert attacked.wall.table(results) == []
        assert [one.status("Bearer " + "w" * 40) for _ in range(2)] == [401, 429]


def test_a_sound_gateway_withstands_every_attack(attacked: Attacked) -> None:
    results = attacked.attack()
    assert hole(results) == ""
    assert len(results) > 600
    assert results[-1].kind == "workers"
    limits = attacked.gateway.image == "openresty"
    assert ("lists of models" in {result.kind for result in results}) is limits
    lines = [line.split() for line in attacked.wall.table(results, every=True)]
    assert not any("-" in line[2:] for line in lines)
    assert len(lines) > 30
    names = lines[0]
    chat = dict(zip(names, next(line[1:] for line in lines if line[:2] == ["POST", "/api/chat"])))
    assert (chat["none"], chat["wrong"], chat["revoked"], chat["models_read"]) == ("401", "401", "401", "403")
    assert (chat["inference"], chat["admin"]) == ("in", "in")
    remark = "limited: in with the models of its list, and refused with every other one."
    assert (remark in attacked.wall.table(results)) is limits
    # Without -v, it is a picture for a screen.
    assert len(attacked.wall.table(results)) < 20


def _cut(attacked: Attacked, file: str, old: str, new: str) -> None:
    """Change a file of the configuration by hand, as somebody might, and reload."""
    path = attacked.gateway.folder / "conf" / file
    text = path.read_text()
    assert old in text
    attacked.gateway.put(path, text.replace(old, new))
    attacked.gateway.reload()
    time.sleep(1)


def test_metrics_that_others_may_read_are_found(server: Standin, tmp_path: Path) -> None:
    routes = rendering.value("__ollama_gateway_routes")
    with gateway(tmp_path / "gateway", "bearer", server.address, __ollama_gateway_routes=routes) as one:
        attacked = Attacked(one)
        results = [result for result in attacked.attack() if result.route == "GET /metrics"]
        assert {result.column: result.got for result in results} == {
            **dict.fromkeys(["none", "wrong", "malformed", "expired", "revoked"], "401"),
            **dict.fromkeys(["inference", "models_read", "models_write"], "403"),
            **dict.fromkeys(["metrics", "admin", "limited"], "in"),
        }
        # As where there are none, on plain nginx.
        assert hole(attacked.attack(own_routes=False)).startswith(
            "The wall has a hole (scopes): GET /gatehouse/usage with inference."
        )
        _cut(attacked, "settings.json", '"scope": "metrics"', '"scope": "any"')
        assert hole(attacked.attack()).startswith("The wall has a hole (scopes): GET /metrics with inference.")


def test_a_gateway_that_asks_nobody_is_found(attacked: Attacked) -> None:
    if attacked.gateway.auth == "basic":
        _cut(attacked, "nginx.conf", "auth_basic 'ollama\", charset=\"UTF-8'", "auth_basic off")
    else:
        _cut(attacked, "nginx.conf", 'access_by_lua_block { require("gatehouse.gateway").access() }', "")
    found = hole(attacked.attack())
    assert found.startswith("The wall has a hole (no credential): GET / with no credential.")


def test_a_route_that_everybody_may_use_is_found(attacked: Attacked) -> None:
    if attacked.gateway.auth == "basic":
        _cut(attacked, "routes.conf", "DELETE /api/delete", "DELETE /api/deleted")
        _cut(attacked, "routes.conf", 'default "";', 'default ""; "DELETE /api/delete" any;')
    else:
        text = (attacked.gateway.folder / "conf/settings.json").read_text()
        routes = text[text.index('"/api/delete"') :]
        _cut(attacked, "settings.json", routes, routes.replace('"models_write"', '"any"', 1))
    results = attacked.attack()
    found = hole(results)
    assert found.startswith("The wall has a hole (scopes): DELETE /api/delete with inference.")
    (row,) = [line for line in attacked.wall.table(results) if line.startswith("DELETE /api/delete  ")]
    assert "✗ in" in row, "the table marks what it got, in a line of its own"
    assert "Came back:\n    HTTP/1.1 400 Bad Request" in found
    assert "invalid header value" in found, "a request that acts must be one that the server refuses"


def test_a_route_that_is_gone_is_found(attacked: Attacked) -> None:
    file = "routes.conf" if attacked.gateway.auth == "basic" else "settings.json"
    _cut(attacked, file, "/v1/embeddings", "/v1/embedding")
    found = hole(attacked.attack())
    assert "POST /v1/embeddings with" in found
    assert "there is no such route" in found


def test_an_expired_key_that_still_counts_is_found(attacked: Attacked) -> None:
    for one in attacked.credentials:
        one["valid"] = one["name"] not in ("models_write", "revoked")
    found = hole(attacked.attack())
    assert found.startswith("The wall has a hole (credential that does not count): GET / with models_write.")


def _change_lua(attacked: Attacked, old: str, new: str) -> None:
    """As _cut, in the Lua module between nginx and the others."""
    path = attacked.gateway.folder / "lua" / "gatehouse" / "gateway.lua"
    text = path.read_text()
    assert old in text
    attacked.gateway.put(path, text.replace(old, new))
    attacked.gateway.reload()
    time.sleep(1)


@pytest.fixture
def limiting(server: Standin, tmp_path: Path) -> Iterator[Attacked]:
    """A gateway that limits clients to lists of models."""
    routes = rendering.value("__ollama_gateway_routes")
    with gateway(tmp_path / "gateway", "bearer", server.address, __ollama_gateway_routes=routes) as one:
        yield Attacked(one)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (
            "elseif not allows_all(may, route, names) then",
            "elseif false then",
            "POST /api/show with limited: as model.",
        ),
        (
            'elseif route.model == "list" and (may or doors.is_used()) then',
            "elseif false then",
            "GET /api/tags with limited.",
        ),
        (
            "if may and not allows(",
            "if false and not allows(",
            "GET /v1/models/:model with limited: gatehouse-wall-other.",
        ),
        # Of several names the first alone counts.
        ("for i = 2, #names do", "for _ = 1, 0 do", "POST /api/show with limited: as"),
    ],
    ids=["names", "lists", "paths", "first name"],
)
def test_a_gateway_that_does_not_look_at_models_is_found(limiting: Attacked, old: str, new: str, found: str) -> None:
    _change_lua(limiting, old, new)
    assert hole(limiting.attack()).startswith(f"The wall has a hole (lists of models): {found}")


def test_where_no_client_has_a_list_the_table_says_that_lists_were_not_tried(server: Standin, tmp_path: Path) -> None:
    routes = rendering.value("__ollama_gateway_routes")
    with gateway(tmp_path / "gateway", "basic", server.address, __ollama_gateway_routes=routes) as one:
        attacked = Attacked(one)
        results = attacked.attack()
    assert hole(results) == ""
    assert attacked.wall.table(results)[-1].startswith("No client has a list of models (plain nginx has none)")


def test_a_worker_that_crashes_is_no_refusal(limiting: Attacked) -> None:
    """It ends itself at a header that one attack has, before it answers."""
    crash = 'local ffi = require "ffi"; ffi.cdef "int raise(int);"; ffi.C.raise(9)'
    header = 'ngx.req.get_headers()["X-Bytes"]'
    _change_lua(limiting, "function _M.access()\n", f"function _M.access()\n    if {header} then {crash} end\n")
    results = limiting.attack()
    names = [result.name for result in results if result.kind == "smuggling" and not result.held]
    assert "a header that is no UTF-8" in names
    assert "the connection was closed" in hole(results)
    assert (results[-1].kind, results[-1].held) == ("workers", False)


def test_a_server_that_does_not_answer_is_told_as_such(server: Standin, tmp_path: Path) -> None:
    routes = rendering.value("__ollama_gateway_routes")
    with gateway(tmp_path / "gateway", "bearer", "127.0.0.1:9", __ollama_gateway_routes=routes) as one:
        found = hole(Attacked(one).attack())
    assert found.startswith("The wall has a hole (what is allowed): GET / with inference.")
    assert "Ollama cannot be reached" in found


def test_a_side_door_is_found_and_a_gateway_is_none(attacked: Attacked, server: Standin) -> None:
    host, port = server.address.split(":")
    doors = [{"host": host, "port": int(attacked.gateway.address.split(":")[1]), "place": "here"}]
    assert hole(attacked.attack(side_doors=doors)) == ""
    doors.append({"host": host, "port": int(port), "place": "here"})
    found = hole(attacked.attack(side_doors=doors))
    assert found.startswith(f"The wall has a hole (side doors): {server.address}.")
    assert "Came back:\n    HTTP/1.1 200 OK" in found


def test_where_no_gateway_answers_that_is_the_error(attacked: Attacked) -> None:
    with pytest.raises(GatehouseError, match=r"http://127\.0\.0\.1:1 does not answer /healthz"):
        attacked.attack(url="http://127.0.0.1:1")


def test_routes_of_the_account_withstand_where_they_are_served(server: Standin, tmp_path: Path) -> None:
    variables = {
        "__ollama_gateway_routes": rendering.value("__ollama_gateway_routes"),
        "ollama_gateway_allow_account_routes": True,
    }
    with gateway(tmp_path / "gateway", "bearer", server.address, **variables) as one:
        attacked = Attacked(one)
        results = attacked.attack(allow_account_routes=True)
        assert hole(results) == ""
        tried = {result.column for result in results if result.route == "POST /api/signout"}
        refused = {"none", "wrong", "expired", "malformed", "revoked"}
        assert tried == refused | {"inference", "models_read", "models_write", "metrics", "limited"}
        # Had the gateway to refuse them, the wall would have to say so, also where Ollama refuses the request itself.
        assert hole(attacked.attack()).startswith("The wall has a hole (scopes): POST /api/me with inference.")
        _cut(attacked, "settings.json", '"scope": "account"', '"scope": "any"')
        found = hole(attacked.attack())
        assert found.startswith("The wall has a hole (scopes): POST /api/me with inference.")
        assert "invalid header value" in found
