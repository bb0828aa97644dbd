# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of a server: what its variables mean together, and what Compose and the tasks make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import door, server
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.common import Checked, Controller

from tests.compose import describe
from tests.unit.conftest import Direct, check_input

ROLE = Path(__file__).resolve().parents[5] / "roles" / "ollama_server"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
DOOR = {"door_bind": "10.0.0.5", "door_gateways": ["gateway-1", "gateway-2"]}
TWO = [{"name": "a"}, {"name": "b", "environment": {"OLLAMA_NUM_PARALLEL": "8"}}]


def check(**changes: Any) -> Checked:
    """The role's defaults with a door, with changes."""
    values = {name[len(server.PREFIX) :]: value for name, value in DEFAULTS.items()} | {"door_gateways": []}

    def folder(kind: str, path: str) -> str:
        if path == "wrong":
            raise SecretStoreError(f"{kind} cannot be that")
        return path

    return server.check({**values, **DOOR, **changes}, Controller(lambda _: None, folder, "run"))


def problems(**changes: Any) -> list[str]:
    return list(check(**changes).problems)


def test_without_an_address_there_is_no_door_and_nothing_of_it_is_judged() -> None:
    found = check(door_bind="", door_port=0, door_capacity=-1, door_ca_dir="wrong", door_gateways=[""])
    assert (found.problems, found.warnings) == ([], [])
    assert [found.result[name] for name in ("door", "door_ports", "door_gateways")] == [[], [], []]
    assert check(state="absent").result["door"] == []


def test_a_door_leads_to_the_name_at_which_ollama_listens() -> None:
    found = check()
    assert (found.problems, found.warnings) == ([], [])
    (one,) = found.result["door"]
    assert one == {
        "service": "ollama",
        "upstream": "ollama-listen:11434",
        "listen": "11443",
        "status": "127.0.0.1:8080",
        "publish": "10.0.0.5:11443:11443",
        "capacity": 1,
    }
    assert found.result["door_gateways"] == ["gateway-1", "gateway-2"]


def test_each_of_several_servers_has_a_port_of_its_own_and_its_own_capacity() -> None:
    found = check(instances=TWO, door_port=443, num_parallel=2)
    assert [one["upstream"] for one in found.result["door"]] == ["ollama-a-listen:11434", "ollama-b-listen:11434"]
    assert [one["publish"] for one in found.result["door"]] == ["10.0.0.5:443:11443", "10.0.0.5:444:11444"]
    assert [one["status"] for one in found.result["door"]] == ["127.0.0.1:8080", "127.0.0.1:8081"]
    assert [one["capacity"] for one in found.result["door"]] == [2, 8]
    assert [(one["address"], one["port"]) for one in found.result["door_ports"]] == [
        ("10.0.0.5", 443),
        ("10.0.0.5", 444),
    ]
    assert [one["capacity"] for one in check(instances=TWO, door_capacity=3).result["door"]] == [3, 3]


def test_an_ipv6_address_is_published_in_brackets() -> None:
    assert check(door_bind="2001:db8::5").result["door"][0]["publish"] == "[2001:db8::5]:11443:11443"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"door_bind": "gpu1.example.com"}, ["ollama_server_door_bind: it must be an IP address of the host"]),
        ({"door_bind": "10.0.0.5:11443"}, ["ollama_server_door_bind: it must be an IP address of the host"]),
        ({"door_bind": "[::1]"}, ["ollama_server_door_bind: it must be an IP address of the host"]),
        ({"door_port": 0}, ["ollama_server_door_port: it must be a port from 1 to 65535"]),
        ({"door_port": 65536}, ["ollama_server_door_port: it must be a port from 1 to 65535"]),
        ({"door_port": 65535, "instances": TWO}, ["from 1 to 65534, for 2 servers have a port each"]),
        ({"door_capacity": -1}, ["ollama_server_door_capacity: it must be a number of requests"]),
        ({"door_image": "docker.io/openresty/openresty:latest"}, ["ollama_server_door_image: it must be an image"]),
        (
            {"door_gateways": ["a", "x" * 65]},
            ["ollama_server_door_gateways[1]: it must be a gateway's name", "1 to 64"],
        ),
        ({"door_gateways": [7]}, ["ollama_server_door_gateways[0]: it must be a gateway's name"]),
        ({"door_gateways": ["a,O=b"]}, ["ollama_server_door_gateways[0]: it must be a gateway's name"]),
        ({"door_gateways": ["a\n"]}, ["ollama_server_door_gateways[0]: it must be a gateway's name"]),
        ({"door_ca_dir": "wrong"}, ["ollama_server_door_ca_dir: door_ca cannot be that"]),
    ],
    ids=str,
)
def test_what_cannot_be_is_told_with_its_place_and_what_would_be_right(
    changes: dict[str, Any], words: list[str]
) -> None:
    (only,) = problems(**changes)
    assert [word for word in words if word not in only] == [], only


@pytest.mark.parametrize("name", ["a", "x" * 64, "gateway-1.example.com", "gateway_1", "2001:db8::5", "10.0.0.7"])
def test_names_of_an_inventory_are_taken(name: str) -> None:
    assert problems(door_gateways=[name]) == []


def test_a_door_and_a_published_server_may_be_on_one_host_but_not_at_one_port() -> None:
    assert problems(publish="127.0.0.1:11434") == []
    assert problems(publish="127.0.0.1:11443") == [], "at another address"
    said = "ollama_server_door_port: 11443 is the port of ollama_server_publish as well; choose another one"
    assert problems(publish="127.0.0.1:11443", door_bind="127.0.0.1") == [said]
    assert problems(publish="127.0.0.1:11443", door_bind="0.0.0.0") == [said]
    assert problems(publish="127.0.0.1:11444", door_bind="0.0.0.0", instances=TWO) == [said.replace("11443", "11444")]


@pytest.mark.parametrize("bind", ["0.0.0.0", "::"])
def test_all_addresses_of_the_host_are_taken_and_said_to_be_wider_than_needed(bind: str) -> None:
    found = check(door_bind=bind)
    assert found.problems == []
    (warning,) = found.warnings
    assert warning.startswith(f"ollama_server_door_bind: {bind} opens the door at every address of the host")


def test_a_door_for_nobody_is_said_to_be_one() -> None:
    assert check(door_gateways=[]).warnings == [
        "ollama_server_door_gateways: it is empty, so that the door lets nobody in"
    ]


def test_compose_publishes_the_door_alone_which_may_write_nothing() -> None:
    text = yaml.safe_load(
        describe([], [], ollama_server_door_bind="10.0.0.5", ollama_server_door_gateways=["gateway-1"])
    )
    assert [name for name, one in text["services"].items() if "ports" in one] == ["door"]
    one = text["services"]["door"]
    assert one["ports"] == ["10.0.0.5:11443:11443"]
    assert one["networks"] == {"clients": {"aliases": ["ollama-door"]}, "door": None}
    assert {mount["read_only"] for mount in one["volumes"]} == {True}
    assert one["labels"] == {"gatehouse.ollama.door": "digest"}
    assert one["user"] == "60882:60882"
    without = yaml.safe_load(describe([], [], ollama_server_door_gateways=[]))
    assert ("door" in without["services"], "door" in without["networks"]) == (False, False)


def test_all_that_a_door_reads_is_known_to_what_tells_whether_it_changed() -> None:
    known = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))["__ollama_server_door_lua"]
    lua = ROLE / "files/lua"
    assert known == sorted(str(path.relative_to(lua)) for path in lua.rglob("*.lua"))


def test_the_input_of_the_role_says_where_the_ca_is(direct: Direct, tmp_path: Path) -> None:
    folder = tmp_path / ".gatehouse" / "door_ca"
    tasks = [check_input("ollama_server", **DOOR, door_ca_dir=str(path)) for path in (folder, "relative")]
    found, wrong = direct.run(tasks).only
    assert found["door_ca_dir"] == str(folder)
    assert found["door"][0]["publish"] == "10.0.0.5:11443:11443"
    assert wrong["msg"].startswith("ollama_server_door_ca_dir: it must be an absolute path")


def test_a_port_of_the_door_is_checked_on_the_host_by_its_own_variables() -> None:
    (one,) = check().result["door_ports"]
    assert (one["variable"], one["address_variable"]) == ("ollama_server_door_port", "ollama_server_door_bind")
    assert door.plan({**DOOR, "door_port": 1, "door_capacity": 0}, [])["door_ports"] == []
