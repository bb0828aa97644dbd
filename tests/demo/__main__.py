# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo: a lab host, deployed with playbooks/deploy.yml, and curl lines to paste.

Usage: python -m tests.demo up|down
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests import lab
from tests.client import ROOT
from tests.lab import engine, hosts

HOST = "gatehouse-demo"
BUILD = ROOT / "build"
FOLDER = BUILD / "demo"
RESULT = BUILD / "demo.json"
HIDDEN = ".gatehouse"
USER, PORT = "alice", 8880
# The second one may stand in the path.
KEY_IDS = ("laptop", "ollama-command")
LIMITS = {"requests_per_minute": 60, "tokens_per_day": 1_000_000}


def password(folder: Path = FOLDER) -> str:
    """The password of the demo's user, made once and kept beside the generated key."""
    file = folder / HIDDEN / "password"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(12))
    return file.read_text()


def key(folder: Path = FOLDER, key_id: str = KEY_IDS[0]) -> str:
    """A key that a deploy generated for the demo's user."""
    return (folder / HIDDEN / "secrets" / f"{USER}.{key_id}").read_text().strip()


def write_inventory(
    address: str, host: str = HOST, folder: Path = FOLDER, limits: dict[str, int] | None = LIMITS
) -> Path:
    """An inventory of a host like the demo's; the lab's variables say where such a host finds packages and images."""
    variables: dict[str, Any] = {
        **yaml.safe_load((ROOT / "molecule/shared/lab.yml").read_text()),
        "ansible_host": host,
        "lab_address": address,
        "ollama_gateway_auth": "both",
        "ollama_gateway_bind": "0.0.0.0",
        "ollama_gateway_port": PORT,
        "ollama_gateway_tls": "self_signed",
        "ollama_gateway_server_names": [address, host],
        "ollama_gateway_clients": [
            {
                "name": USER,
                "password": "{{ lookup('ansible.builtin.file', inventory_dir + '/.gatehouse/password') }}",
                "keys": [{"id": KEY_IDS[0]}, {"id": KEY_IDS[1], "in_path": True}],
                "limits": limits or {},
            }
        ],
        "ollama_server_models": ["tiny"],
    }
    group = {"hosts": {host: None}}
    inventory = {"all": {"vars": variables, "children": {"ollama_servers": group, "ollama_gateways": group}}}
    file = folder / "inventory.yml"
    file.write_text("---\n" + yaml.safe_dump(inventory, sort_keys=False))
    return file


def up() -> int:
    """Make the host, deploy to it, write build/demo.json and print what to paste."""
    client = lab.up()
    address, _made = hosts.create(client, HOST)
    secret = password()
    inventory = write_inventory(address)
    command: list[str | Path] = [ROOT / ".venv/bin/ansible-playbook", "-i", inventory, "playbooks/deploy.yml"]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode != 0:
        return done.returncode
    url = f"https://{address}:{PORT}"
    ca_file = str((FOLDER / HIDDEN / "ca" / "ca.pem").relative_to(ROOT))
    bearer, command_line = (key(key_id=one) for one in KEY_IDS)
    result = {
        "url": url,
        "page": f"{url}/gatehouse/",
        "ca_file": ca_file,
        "basic": {"user": USER, "password": secret},
        "bearer": {"key": bearer},
        "inventory": str(inventory.relative_to(ROOT)),
    }
    RESULT.touch(mode=0o600)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    curl = f"curl --cacert {ca_file}"
    generate = f"""{curl} -N {url}/api/generate -d '{{"model": "tiny", "prompt": "hi"}}'"""
    print(
        f"""
The demo is up at {url}, for the client {USER}. build/demo.json has the same for programs. Paste:

{curl} -i {url}/api/tags                                  # 401: no credential
{curl} -i {url}/api/tags -u {USER}:wrong                  # 401: wrong password
{curl} -i {url}/api/tags -u {USER}:{secret}               # 200
{curl} -i {url}/api/tags -H 'Authorization: Bearer {bearer}'  # 200
{generate} -H 'Authorization: Bearer {bearer}'
OLLAMA_HOST={url}/key/{command_line} SSL_CERT_FILE={ca_file} ollama list  # where that command is

In a browser, with that password or key: {url}/gatehouse/

`make demo-down` removes it."""
    )
    return 0


def down() -> int:
    """Remove the demo's host and what it left in build/, then the lab, unless others have hosts in it."""
    others = False
    if engine.running():
        hosts.destroy(engine.client(), HOST)
        others = bool(hosts.addresses(engine.client()))
    for file in [RESULT, *FOLDER.glob("*.yml")]:
        file.unlink(missing_ok=True)
    shutil.rmtree(FOLDER / HIDDEN, ignore_errors=True)
    if not others:
        lab.down()
    return 0


if __name__ == "__main__":
    try:
        sys.exit({"up": up, "down": down}[sys.argv[1]]())
    except lab.LabError as error:
        sys.exit(f"demo: {error}")
