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
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._inventory_folders import is_read

from tests.collection import ROOT
from tests.unit.conftest import Direct, Playbook

ROLE = yaml.safe_load((ROOT / "roles/ollama_gateway/defaults/main.yml").read_text(encoding="utf-8"))
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


def private_folder(kind: str = "secrets", path: str = "", **options: Any) -> dict[str, Any]:
    options = {"path": path or ROLE[f"ollama_gateway_{kind}_dir"], "kind": kind, **options}
    return {"gatehouse.ollama.private_folder": options, "register": "folder"}


def api_keys(secrets_dir: str = "{{ folder.path }}") -> dict[str, Any]:
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
    tasks = [private_folder(), api_keys(), private_folder("ca", create=True)]
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


def test_folders_of_a_former_version_are_moved_and_in_check_mode_used_where_they_are(
    playbook: Playbook, direct: Direct, inventory: Path
) -> None:
    secret = key_form.generate()
    for folder, name, text in (("secrets", "alice.laptop", secret), ("ca", "ca.key", "key"), ("ca", "ca.pem", "pem")):
        (inventory / folder).mkdir(mode=0o700, exist_ok=True)
        (inventory / folder / name).write_text(text)
        (inventory / folder / name).chmod(0o600)
    limit = ["-i", str(inventory), "-l", "gate"]
    listed = {"ansible.builtin.debug": {"msg": "revoked: {{ folder.revoked }}"}}
    tasks = [private_folder(), listed, api_keys(), private_folder("ca")]
    check = run(playbook, tasks, *limit, "--check")
    for folder in ("secrets", "ca"):
        assert f"{inventory / folder} is to be moved to {inventory / '.gatehouse' / folder}" in check
    assert ("failed=0" in check, (inventory / ".gatehouse").exists()) == (True, False)
    said = run(playbook, tasks, *limit)
    for folder in ("secrets", "ca"):
        assert f"{inventory / folder} was moved to {inventory / '.gatehouse' / folder}" in said
    assert key_form.digest(secret) in (playbook.folder / "gate.keys").read_text()
    assert sorted(path.name for path in inventory.iterdir()) == [".gatehouse", "hosts.yml"]
    again = direct.run([private_folder(), private_folder("ca")], **sources(inventory))
    assert [(one["changed"], "warnings" in one) for one in again.only] == [(False, False)] * 2


def test_keys_of_hosts_of_the_command_line_leave_the_folder_none(playbook: Playbook) -> None:
    """So Ansible calls the folder of such a host, and former versions took it for a name."""
    old = playbook.folder / "None" / "secrets"
    old.mkdir(parents=True, mode=0o700)
    (old / "alice.laptop").write_text(key_form.generate())
    said = run(playbook, [private_folder()], "-i", "here,", "-e", "ansible_connection=local")
    assert f"{old} was moved to {playbook.folder / '.gatehouse' / 'secrets'}" in said


def test_a_folder_that_ansible_reads_as_inventory_is_refused_with_a_better_place(
    playbook: Playbook, direct: Direct, inventory: Path
) -> None:
    visible = str(inventory / "keys")
    tasks = [{**task, "ignore_errors": True} for task in (private_folder(path=visible), api_keys(visible))]
    said = run(playbook, tasks, "-i", inventory)
    _, *parts = said.split("TASK [")
    assert len(parts) == len(tasks)
    for part in parts:
        assert f"{visible}: Ansible reads this folder as a part of the inventory {inventory}" in part
        assert f"move the folder to {inventory}/.gatehouse/secrets, or name one outside of the inventory" in part
    (taken,) = direct.run([private_folder(path=visible)], **sources(inventory, "hosts.yml")).only
    assert not taken["failed"]
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
    (result,) = direct.run([private_folder("ca", str(folder))]).only
    assert result["failed"]
    assert result["msg"].startswith(f"ollama_gateway_ca_dir: {folder}")
    assert said in result["msg"]


@pytest.mark.parametrize("kind", ["secrets", "ca"])
def test_a_relative_folder_is_refused_for_nobody_knows_where_it_begins(direct: Direct, kind: str) -> None:
    (result,) = direct.run([private_folder(kind, "mine")]).only
    assert result["failed"]
    assert result["msg"].startswith(f"ollama_gateway_{kind}_dir: it must be an absolute path")
    assert f"{{{{ inventory_dir }}}}/.gatehouse/{kind}" in result["msg"]
    assert not (direct.folder / "mine").exists()
