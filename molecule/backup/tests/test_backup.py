# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""backup.yml, uninstall.yml with all data, and restore.yml on the bare host: a client sees no difference."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import stat
import time
from pathlib import Path
from typing import Any

import requests

from tests.client import Gateway, playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
HOST = SCENARIO.host("gate")
OWN = SCENARIO.inventory.parent / ".gatehouse"
GONE = SCENARIO.inventory.parent / ".gatehouse-gone"
BY_HAND = ("by.hand", "a-password-by-hand")


class Client:
    """Who has the key and the CA of before, and nothing else."""

    def __init__(self, folder: Path) -> None:
        ca = folder / "ca.pem"
        shutil.copy(OWN / "ca" / "ca.pem", ca)
        self.key = (OWN / "secrets" / "alice.laptop").read_text().strip()
        self.gateway = Gateway(SCENARIO.url("gate"), ca=ca)

    def models(self) -> dict[str, str]:
        answer = self.gateway.get(headers={"Authorization": f"Bearer {self.key}"})
        assert answer.status_code == 200
        return {one["name"]: one["digest"] for one in answer.json()["models"]}

    def sees(self) -> dict[str, Any]:
        return {
            "key": self.gateway.status(key=self.key),
            "by hand": self.gateway.status("/api/version", auth=BY_HAND),
            "wrong": self.gateway.status(key="wrong"),
            "certificate": ssl.get_server_certificate((SCENARIO.address("gate"), 8880)),
        }


def run(name: str, *options: str) -> tuple[int, str]:
    done = playbook(SCENARIO.inventory, name, "--skip-tags=verify", *options)
    return done.returncode, told(done)


def usage(folder: Path) -> dict[str, Any]:
    file = folder / "usage.json"
    options = json.dumps({"ollama_gateway_usage_format": "json", "ollama_gateway_usage_file": str(file)})
    done = playbook(SCENARIO.inventory, "usage", "-e", options)
    assert done.returncode == 0, told(done)
    counted: dict[str, Any] = json.loads(file.read_text())
    return counted


def api(client: Client, path: str, body: dict[str, Any]) -> None:
    answer = requests.post(
        client.gateway.url + path,
        json=body,
        headers={"Authorization": f"Bearer {client.key}"},
        verify=client.gateway.verify,
        timeout=60,
    )
    assert answer.status_code == 200, answer.text


def test_a_bare_host_becomes_the_same_service(tmp_path: Path) -> None:
    passwords = {name: tmp_path / name for name in ("right", "other")}
    for name, file in passwords.items():
        file.write_text(f"{name}-vault-password\n")
    vault = f"--vault-password-file={passwords['right']}"
    archive = tmp_path / "llm.vault"
    written = f"gatehouse_backup_file={archive}"

    # What no inventory has: a user and models by hand, and who used what.
    client = Client(tmp_path)
    hashed = HOST.check_output(f"openssl passwd -6 {BY_HAND[1]}")
    HOST.run_expect([0], f"echo '{BY_HAND[0]}:{hashed}' >> /opt/gatehouse/gateway/clients/htpasswd")
    api(client, "/api/pull", {"model": "tiny-loop", "stream": False})
    api(client, "/api/copy", {"source": "tiny", "destination": "copied"})
    api(client, "/api/generate", {"model": "tiny", "prompt": "hi", "stream": False})
    time.sleep(2)
    before = {"sees": client.sees(), "models": client.models(), "usage": usage(tmp_path)}
    assert (before["sees"]["key"], before["sees"]["by hand"], before["sees"]["wrong"]) == (200, 200, 401)
    assert set(before["models"]) == {"tiny:latest", "tiny-loop:latest", "copied:latest"}
    assert before["usage"]["total"]["requests"] == 1

    code, said = run("backup", "-e", written, "-e", "gatehouse_backup_plaintext=false")
    assert (code, "has no vault password" in said, archive.exists()) == (2, True, False), said
    code, said = run("backup", "-e", written, vault, "-vvv")
    assert code == 0, said[-3000:]
    assert "encrypted by ansible-vault" in said
    assert client.key not in said
    assert "PRIVATE KEY" not in said
    assert hashed not in said
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert archive.read_bytes().startswith(b"$ANSIBLE_VAULT;1.1;AES256\n")
    code, said = run("backup", "-e", written, vault)
    assert (code, "is there already, and no archive is written over" in said) == (2, True), said

    code, said = run("uninstall", "-e", "ollama_gateway_purge_data=true", "-e", "ollama_server_purge_data=true")
    assert code == 0, said
    OWN.rename(GONE)
    shutil.rmtree(GONE)
    assert not HOST.file("/opt/gatehouse/gateway").exists

    # What cannot be restored changes nothing.
    damaged = tmp_path / "damaged.vault"
    content = archive.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    foreign = tmp_path / "foreign"
    foreign.write_text("- hosts: all\n")
    for file, password, wrong in (
        (damaged, vault, "damaged"),
        (foreign, vault, "was not written by gatehouse.ollama.backup"),
        (archive, f"--vault-password-file={passwords['other']}", "no vault password of this run opens it"),
    ):
        code, said = run("restore", "-e", f"gatehouse_restore_file={file}", password)
        assert (code, wrong in said, "Nothing was changed." in said) == (2, True, True), said
    assert not OWN.exists()
    assert not HOST.file("/opt/gatehouse/gateway").exists

    restored = ("-e", f"gatehouse_restore_file={archive}", vault)
    code, said = run("restore", *restored, "-vvv")
    assert code == 0, said[-5000:]
    assert client.key not in said
    assert "copied:latest" in said
    assert "As before: tiny-loop:latest, tiny:latest" in said
    assert client.sees() == before["sees"]
    assert client.models() == {name: digest for name, digest in before["models"].items() if name != "copied:latest"}
    assert usage(tmp_path) == before["usage"]

    code, said = run("restore", *restored)
    assert code == 0, said[-5000:]
    assert set(re.findall(r"changed=(\d+)", said.partition("PLAY RECAP")[2])) == {"0"}, said

    key = OWN / "secrets" / "alice.laptop"
    key.write_text("another\n")
    code, said = run("restore", *restored)
    assert (code, f"Different from what the archive has: {key}. Nothing was changed." in said) == (2, True), said
    assert key.read_text() == "another\n"
