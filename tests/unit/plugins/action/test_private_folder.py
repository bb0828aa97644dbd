# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of secrets on the controller as a user has them: by ansible-playbook, from inventories of every kind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._inventory_folders import is_read

from tests.unit.conftest import Direct, Playbook, check_input

CLIENTS = [{"name": "alice", "keys": [{"id": "laptop"}]}]


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A folder with an inventory of one host in a file."""
    return make_inventory(tmp_path / "my-hosts", "gate")


def make_inventory(folder: Path, host: str) -> Path:
    folder.mkdir()
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": {host: variables}}}))
    return folder


def run(playbook: Playbook, tasks: list[dict[str, Any]], *options: str | Path) -> str:
    """Run the tasks on all hosts of the inventories in `options`; return what was printed."""
    play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
    (playbook.folder / "play.yml").write_text(json.dumps([play]))
    command: list[str | Path] = [sys.executable, "-m", "ansible", "playbook", "play.yml", *options]
    environment = {**playbook.environment(), "PWD": str(playbook.folder)}
    done = subprocess.run(
        command, cwd=playbook.folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    return " ".join((done.stdout + done.stderr).split())


def checked(**variables: Any) -> dict[str, Any]:
    return {**check_input("ollama_gateway", clients=CLIENTS, **variables), "register": "checked"}


def api_keys(secrets_dir: str = "{{ checked.secrets_dir }}") -> dict[str, Any]:
    path = "{{ playbook_dir }}/{{ inventory_hostname }}.keys"
    return {"gatehouse.ollama.api_keys": {"path": path, "clients": CLIENTS, "secrets_dir": secrets_dir}}


def sources(inventory: Path, name: str = "") -> dict[str, Any]:
    """What Ansible would say of a folder with an inventory, or a file in it, as variables."""
    return {"inventory_dir": str(inventory), "ansible_inventory_sources": [str(inventory / name)]}


def seen(playbook: Playbook, *sources: str | Path) -> tuple[set[str], str]:
    """The hosts of the inventories, and all that Ansible prints when it lists them and draws them."""
    options = [text for source in sources for text in ("-i", str(source))]
    command = [sys.executable, "-m", "ansible", "inventory", *options]
    listed, drawn = (
        subprocess.run(
            [*command, way], cwd=playbook.folder, env=playbook.environment(), capture_output=True, text=True, check=True
        )
        for way in ("--list", "--graph")
    )
    hosts = {host for group in json.loads(listed.stdout).values() for host in group.get("hosts", [])}
    return hosts, listed.stderr + drawn.stderr + listed.stdout + drawn.stdout


def test_no_key_becomes_a_host_of_any_inventory_and_no_word_of_it_is_printed(
    playbook: Playbook, tmp_path: Path, inventory: Path
) -> None:
    """After keys and a CA were written: from a folder, a file, several sources, and with no inventory file at all."""
    other = make_inventory(tmp_path / "other-hosts", "other")
    tasks = [checked(tls="self_signed"), api_keys()]
    options: list[str | Path] = [
        "-i",
        inventory,
        "-i",
        other / "hosts.yml",
        "-i",
        "here,",
        "-e",
        "ansible_connection=local",
    ]
    said = run(playbook, tasks, *options, "-e", f"ansible_python_interpreter={sys.executable}")
    assert "failed=1" not in said
    secrets = []
    for folder in (inventory, other, playbook.folder):
        secrets.append((folder / ".gatehouse" / "secrets" / "alice.laptop").read_text().strip())
        (folder / ".gatehouse" / "ca").mkdir()
        (folder / ".gatehouse" / "ca" / "ca.key").write_text("-----BEGIN PRIVATE KEY-----\nplanted\n")
        assert (folder / ".gatehouse" / ".gitignore").read_text() == "*\n"
        assert (folder / ".gatehouse").stat().st_mode & 0o777 == 0o700
    assert len(set(secrets)) == 3, "hosts of different sources have keys of their own"
    # A file, beside which keys lie, is read by itself.
    assert set(InventoryManager(DataLoader(), sources=[str(other / "hosts.yml")]).hosts) == {"other"}
    found, printed = seen(playbook, inventory, other, "here,")
    assert found == {"gate", "other", "here"}
    words = (*secrets, key_form.PREFIX, "planted", "alice", "warning", "ca.key")
    assert [word for word in words if word.lower() in printed.lower()] == []


def test_a_folder_that_ansible_reads_as_inventory_is_refused_with_a_better_place(
    playbook: Playbook, direct: Direct, inventory: Path
) -> None:
    visible = str(inventory / "keys")
    tasks = [{**task, "ignore_errors": True} for task in (checked(secrets_dir=visible), api_keys(visible))]
    said = run(playbook, tasks, "-i", inventory)
    _, *parts = said.split("TASK [")
    assert len(parts) == len(tasks)
    for part in parts:
        assert f"{visible}: Ansible reads this folder as a part of the inventory {inventory}" in part
        assert f"move the folder to {inventory}/.gatehouse/secrets, or name one outside of the inventory" in part
    (taken,) = direct.run([checked(secrets_dir=visible)], **sources(inventory, "hosts.yml")).only
    assert not taken.get("failed"), taken
    assert not (inventory / "keys").exists()


@pytest.mark.parametrize(
    ("directory", "read"),
    [
        ("my-hosts", True),
        ("my-hosts/keys", True),
        ("my-hosts/deep/er/keys", True),
        ("link/keys", True),
        ("my-hosts/.keys", False),
        ("my-hosts/.hidden/keys", False),
        ("my-hosts/group_vars/keys", False),
        ("my-hosts/keys.retry", False),
        ("my-hosts-keys", False),
        (".", False),
    ],
)
def test_what_is_read_is_known_as_ansible_knows_it(tmp_path: Path, inventory: Path, directory: str, read: bool) -> None:
    (tmp_path / "link").symlink_to(inventory)
    assert is_read(str(tmp_path / directory), str(inventory)) is read
    assert not is_read(str(tmp_path / directory), str(inventory / "hosts.yml"))


@pytest.mark.parametrize(
    ("mode_of_folder", "mode_of_key", "said"),
    [
        (0o777, 0o600, "others than its owner may write into the folder of the CA; run chmod 700 on it"),
        (0o700, 0o644, "mode 0644 lets others than its owner at the key of the CA; run chmod 600 on it"),
    ],
)
def test_a_ca_that_others_can_change_or_read_is_refused(
    direct: Direct, tmp_path: Path, mode_of_folder: int, mode_of_key: int, said: str
) -> None:
    folder = tmp_path / "authority"
    folder.mkdir()
    (folder / "ca.key").touch()
    (folder / "ca.key").chmod(mode_of_key)
    folder.chmod(mode_of_folder)
    (result,) = direct.run([checked(ca_dir=str(folder), tls="self_signed")]).only
    assert result["failed"]
    assert result["msg"].startswith(f"ollama_gateway_ca_dir: {folder}")
    assert said in result["msg"]


@pytest.mark.parametrize("kind", ["secrets", "ca"])
def test_a_relative_folder_is_refused_for_nobody_knows_where_it_begins(direct: Direct, kind: str) -> None:
    (result,) = direct.run([checked(tls="self_signed", **{f"{kind}_dir": "mine"})]).only
    assert result["failed"]
    assert result["msg"].startswith(f"ollama_gateway_{kind}_dir: it must be an absolute path")
    assert f"{{{{ inventory_dir }}}}/.gatehouse/{kind}" in result["msg"]
    assert not (direct.folder / "mine").exists()
