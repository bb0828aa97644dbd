# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built collection, installed into an empty folder, as `ansible-galaxy collection install` does it for a user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"


def run(*command: str | Path, cwd: Path, collections: Path) -> str:
    """Run a command in `cwd`, where no ansible.cfg is, with only `collections` to look in; return what it printed."""
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    run(BIN / "ansible-galaxy", "collection", "build", ROOT, "--output-path", folder, cwd=folder, collections=folder)
    (built,) = folder.glob("gatehouse-ollama-*.tar.gz")
    return built


@pytest.fixture(scope="module")
def collections(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    install: list[str | Path] = [BIN / "ansible-galaxy", "collection", "install", tarball, "-p", folder, "--offline"]
    run(*install, cwd=folder, collections=folder)
    return folder


def test_the_tarball_holds_what_users_need_and_no_development_files(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        top = {name.split("/")[0] for name in archive.getnames()}
    assert top == {
        *("CHANGELOG.md", "CONTRIBUTING.md", "COPYING", "FILES.json", "MANIFEST.json", "README.md"),
        *(
            "changelogs",
            "docs",
            "inventories",
            "meta",
            "playbooks",
            "plugins",
            "requirements.txt",
            "requirements.yml",
            "roles",
        ),
    }


def test_the_tarball_holds_no_generated_key(tmp_path: Path) -> None:
    """From a checkout in which keys and CAs lie wherever this version and former ones put them."""
    copy = tmp_path / "copy"
    files = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    for name in files:
        # The folder .config has a link to the checkout itself.
        if (ROOT / name).is_file() and not name.startswith(".config/"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    old = ["inventories/local/secrets", "inventories/local/ca"]
    for folder in (".gatehouse/secrets", "inventories/local/.gatehouse/ca", "inventories/a/b/.gatehouse/secrets", *old):
        (copy / folder).mkdir(parents=True)
        (copy / folder / "planted.key").touch()
    run(BIN / "ansible-galaxy", "collection", "build", copy, "--output-path", tmp_path, cwd=tmp_path, collections=copy)
    (built,) = tmp_path.glob("gatehouse-ollama-*.tar.gz")
    with tarfile.open(built) as archive:
        names = archive.getnames()
    assert "inventories/local/hosts.yml" in names
    assert [name for name in names if "planted" in name or ".gatehouse" in name] == []


def test_after_the_installed_collection_wrote_a_key_it_is_no_host(collections: Path, tmp_path: Path) -> None:
    """From a folder, with the role's own default and the inventory that the README has users copy."""
    inventory = tmp_path / "my-hosts"
    inventory.mkdir()
    connection = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (inventory / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"gate": connection}}}))
    defaults = collections / "ansible_collections/gatehouse/ollama/roles/ollama_gateway/defaults/main.yml"
    tasks: list[dict[str, Any]] = [
        {
            "gatehouse.ollama.api_keys": {
                "path": str(tmp_path / "api_keys"),
                "clients": [{"name": "alice", "keys": [{"id": "laptop"}]}],
                "secrets_dir": "{{ ollama_gateway_secrets_dir }}",
            }
        },
    ]
    play = {"hosts": "all", "gather_facts": False, "vars_files": [str(defaults)], "tasks": tasks}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    run(BIN / "ansible-playbook", "-i", inventory, "play.yml", cwd=tmp_path, collections=collections)
    assert (inventory / ".gatehouse/secrets/alice.laptop").stat().st_mode & 0o777 == 0o600
    graph = run(BIN / "ansible-inventory", "-i", inventory, "--graph", cwd=tmp_path, collections=collections)
    assert graph.split() == ["@all:", "|--@ungrouped:", "|", "|--gate"]


def test_a_playbook_is_found_by_its_full_name_from_an_empty_folder(collections: Path, tmp_path: Path) -> None:
    names = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
    command: list[str | Path] = [BIN / "ansible-playbook", *full(names), "--syntax-check"]
    said = run(*command, cwd=tmp_path, collections=collections).split("playbook: ")[1:]
    assert [Path(line.strip()).stem for line in said] == names


def test_the_documentation_of_each_module_is_shown(collections: Path, tmp_path: Path) -> None:
    names = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
    shown = run(BIN / "ansible-doc", *full(names), cwd=tmp_path, collections=collections).split("> MODULE ")[1:]
    assert [page.split()[0] for page in shown] == full(names)
    assert [page.split()[0] for page in shown if "EXAMPLES" not in page] == []


def test_the_documentation_of_each_role_is_shown(collections: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in (ROOT / "roles").iterdir())
    command: list[str | Path] = [BIN / "ansible-doc", "-t", "role", *full(names)]
    pages = run(*command, cwd=tmp_path, collections=collections).split("> ROLE: ")[1:]
    shown = {page.split()[0].strip("*").removeprefix("gatehouse.ollama."): page for page in pages}
    assert sorted(shown) == names
    assert [name for name, page in shown.items() if f"{name}_" not in page] == []


def full(names: list[str]) -> list[str]:
    return [f"gatehouse.ollama.{name}" for name in names]
