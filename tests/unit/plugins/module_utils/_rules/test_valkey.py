# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role valkey: what its variables mean together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import SecretStoreError
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import valkey
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.common import Checked, Controller

from tests.unit.conftest import Direct, check_input

ROLE = Path(__file__).resolve().parents[5] / "roles" / "valkey"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
ONE = {"bind": "10.0.0.1", "nodes": ["10.0.0.1"]}
THREE = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def check(**changes: Any) -> Checked:
    """The role's defaults on one node, with changes."""
    values = {name[len(valkey.PREFIX) :]: value for name, value in DEFAULTS.items()}

    def folder(kind: str, path: str) -> str:
        if path == "wrong":
            raise SecretStoreError(f"{kind} cannot be that")
        return path

    return valkey.check({**values, **ONE, **changes}, Controller(lambda _: None, folder, "run"))


def test_one_node_has_no_sentinel() -> None:
    found = check()
    assert (found.problems, found.warnings) == ([], [])
    assert found.result["several"] is False
    assert found.result["publish"] == {"valkey": "10.0.0.1:6379:6379"}
    assert found.result["maxmemory"] == 256 << 20


def test_each_of_three_nodes_has_a_sentinel_at_a_port_of_its_own() -> None:
    found = check(nodes=THREE, port=16379)
    assert found.problems == []
    assert found.result["publish"] == {"valkey": "10.0.0.1:16379:6379", "sentinel": "10.0.0.1:26379:26379"}
    assert [(one["port"], one["variable"]) for one in found.result["ports"]] == [
        (16379, "valkey_port"),
        (26379, "valkey_sentinel_port"),
    ]


@pytest.mark.parametrize("address", ["2001:db8::1", "10.0.0.1"])
def test_one_node_may_have_an_address_of_either_kind(address: str) -> None:
    found = check(bind=address, nodes=[address])
    assert found.problems == []
    assert found.result["publish"]["valkey"].endswith(":6379:6379")
    assert ("[" in found.result["publish"]["valkey"]) == (":" in address)


@pytest.mark.parametrize("count", [0, 2, 4, 6, 7])
def test_a_number_of_nodes_that_bears_no_more_failures_is_refused_with_the_reason(count: int) -> None:
    nodes = [f"10.0.0.{number}" for number in range(1, count + 1)]
    (problem,) = check(nodes=nodes).problems if nodes else check(nodes=[]).problems
    assert problem.startswith("valkey_nodes: ")
    if nodes:
        assert f"1, 3 or 5 addresses, and has {count}. More than half of the nodes have to agree" in problem


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({"image": "valkey/valkey:latest"}, "valkey_image: it must be an image with a pinned tag"),
        ({"bind": "state1"}, "valkey_bind: it must be an IP address"),
        ({"bind": "0.0.0.0"}, "valkey_bind: it must be an IP address by which other hosts reach this one"),
        ({"bind": "127.0.0.1"}, "valkey_bind: it must be an IP address by which other hosts reach this one"),
        ({"bind": "10.0.0.9"}, "valkey_nodes: 10.0.0.9 must be among them"),
        ({"nodes": ["10.0.0.1", "state2", "10.0.0.3"]}, "valkey_nodes: state2 must be the IP address of a node"),
        ({"nodes": [*THREE[:2], "10.0.0.1"]}, "valkey_nodes: each address must be there once"),
        ({"nodes": ["10.0.0.1", "fd00::2", "fd00::3"]}, "valkey_nodes: several nodes must have IPv4 addresses"),
        ({"nodes": THREE, "sentinel_port": 6379}, "valkey_sentinel_port: it is valkey_port as well"),
        ({"port": 0}, "valkey_port: it must be a port from 1 to 65535"),
        ({"sentinel_port": 65536}, "valkey_sentinel_port: it must be a port"),
        ({"maxmemory": "1mb"}, "valkey_maxmemory: it must be a size of 16mb or more"),
        ({"maxmemory": "much"}, "valkey_maxmemory: it must be a size of 16mb or more"),
        ({"memory": "511m"}, "valkey_memory: it must be a size such as 1g, and twice valkey_maxmemory at least"),
        ({"memory": ""}, "valkey_memory: it must be a size"),
        ({"data_dir": "/opt"}, "valkey_data_dir: it must be an absolute path of its own"),
        ({"ca_dir": "wrong"}, "valkey_ca_dir: door_ca cannot be that"),
        ({"secrets_dir": "wrong"}, "valkey_secrets_dir: valkey cannot be that"),
    ],
)
def test_what_is_wrong_is_said_with_its_variable_and_what_would_be_right(changes: dict[str, Any], begins: str) -> None:
    (problem,) = check(**changes).problems
    assert problem.startswith(begins)


def test_values_mean_the_same_as_text(direct: Direct, tmp_path: Path) -> None:
    folders = {"ca_dir": str(tmp_path / "ca"), "secrets_dir": str(tmp_path / "secrets")}
    texts = {**folders, "bind": "10.0.0.2", "nodes": ",".join(THREE), "port": "6380"}
    values = {**folders, "bind": "10.0.0.2", "nodes": THREE, "port": 6380}
    first, second = direct.run([check_input("valkey", **one) for one in (texts, values)]).only
    assert first["publish"]["valkey"] == "10.0.0.2:6380:6379"
    assert {**first, "invocation": 0} == {**second, "invocation": 0}


def test_of_a_node_that_is_removed_only_where_it_is_has_to_be_right(direct: Direct) -> None:
    wrong = {"state": "absent", "bind": "gone", "nodes": "a,b", "image": "x", "ca_dir": "x"}
    fine, refused = direct.run([check_input("valkey", **wrong), check_input("valkey", **wrong, data_dir="/opt")]).only
    assert "msg" not in fine
    assert refused["msg"].startswith("valkey_data_dir: ")
    assert "valkey_bind" not in refused["msg"]


def test_passwords_that_others_may_read_are_refused_before_anything_is_changed(direct: Direct, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    given = {**ONE, "ca_dir": str(tmp_path / "ca"), "secrets_dir": str(folder)}
    (found,) = direct.run([check_input("valkey", **given)]).only
    assert found["msg"].startswith("valkey_secrets_dir: ")
    assert "run chmod 700 on it" in found["msg"]
