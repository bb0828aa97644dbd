# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks backup and restore with gateways that are folders of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import Playbook

ROOT = Path(__file__).resolve().parents[2]
GONE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": "1"}


class Service:
    """Gateways without servers."""

    def __init__(self, playbook: Playbook) -> None:
        self.playbook = playbook
        self.folder = playbook.folder
        (self.folder / "password").write_text("word\n")
        self.archives = self.folder / ".gatehouse" / "backups"

    def has(self, **hosts: dict[str, Any]) -> None:
        here = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
        variables = {
            name: {**here, "ollama_gateway_dir": str(self.folder / "host" / name), **more}
            for name, more in hosts.items()
        }
        (self.folder / "hosts.yml").write_text(json.dumps({"ollama_gateways": {"hosts": variables}}))
        for name in hosts:
            file = self.folder / "host" / name / "tls" / "server.pem"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"the key of {name}")

    def run(self, name: str, *options: str) -> tuple[int, str]:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "ansible", "playbook", str(ROOT / f"playbooks/{name}.yml"), "-i", "hosts.yml"),
                *(f"--vault-password-file={self.folder}/password", *options),
            ],
            cwd=self.folder,
            env=self.playbook.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, " ".join(done.stdout.split())

    def left(self) -> list[str]:
        """What a run has left of itself."""
        return [str(path) for path in self.folder.rglob("*") if path.name in ("part.json", "content.gz")]


@pytest.fixture
def service(playbook: Playbook) -> Service:
    return Service(playbook)


def test_backup_has_all_hosts_or_writes_nothing(service: Service) -> None:
    service.has(one={}, two={}, gone=GONE)
    code, said = service.run("backup")
    assert code != 0
    assert "No archive was written, for it would lack gone as a gateway." in said
    assert not service.archives.exists()
    code, said = service.run("backup", "--limit", "one,two")
    assert code == 0, said
    (archive,) = service.archives.iterdir()
    assert archive.name.startswith("gatehouse-20")
    assert archive.name.endswith("Z.tar.gz.vault")
    assert (archive.stat().st_mode & 0o777, archive.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "4 files of one, two" not in said
    assert "2 files of one, two" in said
    assert "changed=1" in said
    assert service.left() == []
    # As docs/backup.md has it.
    command = f"ansible-vault decrypt --output - --vault-password-file password {archive} | tar -tz"
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(service.folder)}
    listed = subprocess.run(
        command, shell=True, cwd=service.folder, env=path, capture_output=True, text=True, check=True
    )
    assert "0000-gateway/tls/server.pem" in listed.stdout.splitlines()


def test_backup_in_check_mode_says_where_it_would_be(service: Service) -> None:
    service.has(one={})
    code, said = service.run("backup", "--check")
    assert code == 0, said
    assert f"Would write {service.archives}/gatehouse-20" in said
    assert not service.archives.exists()


def test_a_host_without_a_gateway_is_named(service: Service) -> None:
    service.has(one={"ollama_gateway_dir": "/opt/gatehouse-nowhere/gateway"})
    code, said = service.run("backup")
    assert code == 2
    assert "/opt/gatehouse-nowhere/gateway is not there on this host, so there is nothing to back up" in said


def test_restore_that_one_host_refuses_changes_none(service: Service) -> None:
    service.has(one={}, two={})
    assert service.run("backup", "-e", "gatehouse_backup_file=archive")[0] == 0
    (service.folder / "host/one/tls/server.pem").unlink()
    (service.folder / "host/two/tls/server.pem").write_text("another key")
    code, said = service.run("restore", "-e", "gatehouse_restore_file=archive", "-e", "gatehouse_restore_overwrite=no")
    assert code == 2, said
    assert "Different from what the archive has:" in said
    assert "host/two/tls/server.pem. Nothing was changed." in said
    assert not (service.folder / "host/one/tls/server.pem").exists()
    assert "Install Docker Engine" not in said
    assert service.left() == []


def test_restore_without_an_archive_says_which_variable_names_it(service: Service) -> None:
    service.has(one={})
    code, said = service.run("restore")
    assert (code, "gatehouse_restore_file: it must be the path of an archive" in said) == (2, True), said
