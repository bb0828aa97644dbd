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
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import Wall
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall_clients import make_up
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall_http import read_url
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall_run import Budget, Result
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall_table import hole, summary
from passlib.hash import apr_md5_crypt

from tests.component import rendering
from tests.component.contract.standins import Standin, standin
from tests.component.gateways import Gateway, gateway, record

KINDS = {"basic": ["basic"], "bearer": ["bearer"], "both": ["basic", "bearer"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    with standin(tmp_path_factory.mktemp("ollama") / "models") as one:
        yield one


class Attacked:
    """A gateway with the wall's clients."""

    def __init__(self, entrance: Gateway) -> None:
        self.gateway = entrance
        now = datetime.datetime.now(datetime.timezone.utc)
        made = make_up(KINDS[entrance.auth], now, datetime.timedelta(minutes=5))
        self.credentials = made["credentials"]
        there = [one for one in made["clients"] if not one["name"].endswith("revoked")]
        entrance.allow({one["name"]: one["scopes"] for one in there})
        entrance.write(
            "api_keys",
            [
                record(f"{one['name']}.{key['id']}", key["secret"], f"expires={key['expires']}")
                for one in there
                for key in one.get("keys", [])
            ],
        )
        entrance.write(
            "htpasswd", [f"{one['name']}:{apr_md5_crypt.hash(one['password'])}" for one in there if "password" in one]
        )

    def attack(self, **options: Any) -> list[Result]:
        everything: dict[str, Any] = {
            "url": f"http://{self.gateway.address}",
            "routes": rendering.value("__ollama_gateway_routes"),
            "credentials": self.credentials,
            "allow_account_routes": False,
            "side_doors": [],
            "files": [],
            "request_timeout": 5,
            **options,
        }
        self.wall = Wall(read_url(everything["url"]), everything, None)
        return self.wall.attack(Budget(10000, 2000, 120))


@pytest.fixture(params=["basic", "bearer", "both"])
def attacked(request: pytest.FixtureRequest, server: Standin, tmp_path: Path) -> Iterator[Attacked]:
    routes = rendering.value("__ollama_gateway_routes")
    with gateway(tmp_path / "gateway", request.param, server.address, __ollama_gateway_routes=routes) as one:
        yield Attacked(one)


def test_a_sound_gateway_withstands_every_attack(attacked: Attacked) -> None:
    begun = time.monotonic()
    results = attacked.attack()
    print("\n".join([*attacked.wall.table(results), *summary(results)]), time.monotonic() - begun)
    assert hole(results) == ""
    assert len(results) > 1000
    assert not any("-" in line.split("  ")[1:] for line in attacked.wall.table(results))
