# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials are written only for a gateway that is there and takes them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gatehouse.ollama.plugins.modules import gateway_deployed as module

from tests.collection import ROOT
from tests.unit.conftest import Playbook

ROLE = ROOT / "roles" / "ollama_gateway"
READER = ROLE / "files" / "lua" / "gatehouse" / "keyfile.lua"
BOTH = {"basic": True, "bearer": True}
SETTINGS = {"accepts": BOTH, "engine": "openresty", "routes": []}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A gateway that takes both, on OpenResty."""
    for name in ("clients", "conf", "lua/gatehouse"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "conf" / "settings.json").write_text(json.dumps(SETTINGS))
    (tmp_path / "lua" / "gatehouse" / "keyfile.lua").write_bytes(READER.read_bytes())
    return tmp_path


def options(folder: Path, **others: Any) -> dict[str, Any]:
    reader = hashlib.sha256(READER.read_bytes()).hexdigest()
    wanted = {"accepts": BOTH, "auth": "both", "engine": "openresty", "reader": reader, "limits": []}
    return {"folder": str(folder), **wanted, **others}


def test_the_gateway_of_the_variables_is_taken(folder: Path) -> None:
    assert module.check(options(folder)) == "openresty"


def test_a_host_without_a_gateway_is_refused(folder: Path) -> None:
    (folder / "clients").rmdir()
    with pytest.raises(module.NotDeployed, match="There is no gateway in ollama_gateway_dir") as refused:
        module.check(options(folder))
    assert f"({folder}) on this host. The playbook gatehouse.ollama.deploy makes one." in str(refused.value)


@pytest.mark.parametrize(
    "wanted",
    [
        {"auth": "bearer", "accepts": {"basic": False, "bearer": True}},
        {"auth": "basic", "accepts": {"basic": True, "bearer": False}, "engine": "nginx", "reader": None},
        {"engine": "nginx", "reader": None},
    ],
)
def test_another_way_to_authenticate_than_the_deployed_one_is_refused(folder: Path, wanted: dict[str, Any]) -> None:
    asked = options(folder, **wanted)
    with pytest.raises(module.NotDeployed) as refused:
        module.check(asked)
    begin = (
        f"ollama_gateway_auth is {asked['auth']} on {asked['engine']}, but the gateway on this host was deployed with"
    )
    assert str(refused.value).startswith(begin)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "is missing"),
        (b"", "is no JSON"),
        (b'{"accepts": {', "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[]", "does not say it"),
        (b'{"engine": "nginx"}', "does not say it"),
    ],
)
def test_damaged_settings_are_named_and_who_mends_them(folder: Path, text: bytes | None, why: str) -> None:
    file = folder / "conf" / "settings.json"
    file.unlink()
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(module.NotDeployed) as refused:
        module.check(options(folder))
    assert str(refused.value).startswith(
        f"{file}: it should say how the gateway on this host authenticates, and it {why}"
    )
    assert str(refused.value).endswith("The playbook gatehouse.ollama.deploy writes it anew.")


def test_another_reader_of_keys_is_refused_and_so_is_none(folder: Path) -> None:
    """A gateway that does not understand a key goes on with the keys of before, revoked ones included."""
    file = folder / "lua" / "gatehouse" / "keyfile.lua"
    file.write_bytes(READER.read_bytes() + b"\n")
    with pytest.raises(module.NotDeployed, match="deployed by another version of this collection"):
        module.check(options(folder))
    file.unlink()
    with pytest.raises(module.NotDeployed, match="deployed by another version of this collection"):
        module.check(options(folder))


class TestLimits:
    """A gateway that does not keep them would let clients take what they like, and nobody would be told."""

    @staticmethod
    def deployed(folder: Path, usage: Any) -> Path:
        (folder / "conf" / "settings.json").write_text(json.dumps({**SETTINGS, "usage": usage}))
        (folder / "lua" / "gatehouse" / "limits").mkdir()
        (folder / "lua" / "gatehouse" / "limits" / "clients.lua").touch()
        return folder

    def test_a_gateway_that_knows_none_is_refused_where_there_are_some(self, folder: Path) -> None:
        assert module.check(options(folder)) == "openresty"
        with pytest.raises(module.NotDeployed, match="deployed by a version of this collection that knows no limits"):
            module.check(options(folder, limits=["keep_alive"]))

    def test_one_that_counts_nothing_is_refused_where_there_are_some(self, folder: Path) -> None:
        self.deployed(folder, usage=False)
        assert module.check(options(folder)) == "openresty"
        with pytest.raises(module.NotDeployed, match="Limits need that requests are counted"):
            module.check(options(folder, limits=["keep_alive"]))

    def test_one_that_keeps_them_is_taken(self, folder: Path) -> None:
        self.deployed(folder, usage={"keep_days": 400})
        assert module.check(options(folder, limits=["max_context", "tokens_per_minute"])) == "openresty"


def test_plain_nginx_reads_no_keys(folder: Path) -> None:
    basic = {"basic": True, "bearer": False}
    (folder / "conf" / "settings.json").write_text(json.dumps({"accepts": basic, "engine": "nginx"}))
    (folder / "lua" / "gatehouse" / "keyfile.lua").unlink()
    assert module.check(options(folder, accepts=basic, auth="basic", engine="nginx", reader=None)) == "nginx"


def task(folder: Path, **variables: Any) -> dict[str, Any]:
    """The task of the role, with the variables that it needs."""
    variables_of_role = yaml.safe_load((ROLE / "vars" / "main" / "main.yml").read_text(encoding="utf-8"))
    names = {
        "__ollama_gateway_accepts": variables_of_role["__ollama_gateway_accepts"],
        "__ollama_gateway_engine": "openresty",
        "ollama_gateway_auth": "both",
        "ollama_gateway_dir": str(folder),
        "__ollama_gateway_input": {"limits": []},
    }
    (one,) = yaml.safe_load((ROLE / "tasks" / "credentials" / "deployed.yml").read_text(encoding="utf-8"))
    return {**one, "vars": {**one["vars"], **names, **variables}}


def test_the_role_asks_for_what_it_would_write_and_by_what_it_would_read(playbook: Playbook, folder: Path) -> None:
    (playbook.folder / "files").symlink_to(ROLE / "files")
    without_reader = {"ollama_gateway_auth": "basic", "__ollama_gateway_engine": "nginx"}
    limited = {"__ollama_gateway_input": {"limits": ["keep_alive"]}}
    run = playbook.run([task(folder), task(folder, **without_reader), task(folder, **limited)], "--check")
    taken, refused, unlimited = run.only
    assert (taken["failed"], taken["changed"]) == (False, False), taken
    assert unlimited["msg"] == module.UNLIMITED
    assert refused["msg"].startswith("ollama_gateway_auth is basic on nginx, but the gateway on this host was")
    (folder / "lua" / "gatehouse" / "keyfile.lua").unlink()
    settings = {"accepts": {"basic": True, "bearer": False}, "engine": "nginx"}
    (folder / "conf" / "settings.json").write_text(json.dumps(settings))
    refused, taken = playbook.run([task(folder), task(folder, **without_reader)]).only
    assert refused["failed"] is True
    assert (taken["failed"], taken["changed"]) == (False, False), taken
