# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""adopt.yml takes over the guide's two projects and a service of systemd; the models move to a folder and back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.client import Gateway, playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
BASIC, BEARER = SCENARIO.host("basic"), SCENARIO.host("bearer")
USERS = [("myuser", "mypassword"), ("Another.User@example.com", "anotherpassword")]
KEYS = ["my-secret-api-key-1", "admin-key-abcdef"]
FOLDER = "/root/ollama-nginx-auth"
VOLUME = "/var/lib/docker/volumes/gatehouse-ollama_ollama/_data/models"
DISK = "/srv/ollama-models"
SERVICE = "/usr/share/ollama/.ollama/models"


def run(name: str, *arguments: str, **variables: Any) -> tuple[int, str, int]:
    """Run a playbook: its exit code, what it said, and how many tasks changed something."""
    done = playbook(SCENARIO.inventory, name, "--skip-tags=verify", "--extra-vars", json.dumps(variables), *arguments)
    changed = sum(int(count) for count in re.findall(r" changed=(\d+)", done.stdout))
    return done.returncode, told(done), changed


def succeed(name: str, *arguments: str, **variables: Any) -> tuple[str, int]:
    code, said, changed = run(name, *arguments, **variables)
    assert code == 0, said[-5000:]
    return said, changed


def statuses() -> list[int]:
    """What each user and key gets, and then a wrong password, a wrong key, and nothing."""
    basic, bearer = Gateway(SCENARIO.url("basic")), Gateway(SCENARIO.url("bearer"))
    good = [basic.status(auth=user) for user in USERS] + [bearer.status(key=key) for key in KEYS]
    return [*good, basic.status(auth=("myuser", "other")), bearer.status(key="admin-key-abcdeg"), bearer.status()]


SERVED = [200, 200, 200, 200, 401, 401, 401]


def models() -> dict[str, str]:
    answer = Gateway(SCENARIO.url("bearer")).get(headers={"Authorization": f"Bearer {KEYS[1]}"})
    return {one["name"]: one["digest"] for one in answer.json()["models"]}


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    """The models of the old server, whose gateways serve."""
    assert statuses() == SERVED
    return models()


@pytest.fixture(scope="module")
def refused(before: dict[str, str]) -> list[str]:
    """What is said where nothing can be adopted, or not all."""
    said = [run("adopt", "--limit=localhost,basic", adopt_compose_dir="/root/none")]
    line = "carol:{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk="
    BASIC.check_output(f"echo '{line}' >> {FOLDER}/nginx/.htpasswd")
    said.append(run("adopt", "--limit=localhost,basic"))
    said.append(run("adopt", "--limit=localhost,basic", ollama_gateway_clients_purge=True))
    BASIC.check_output(f"sed -i /^carol/d {FOLDER}/nginx/.htpasswd")
    assert [code for code, _said, _changed in said] == [2, 2, 2]
    return [text for _code, text, _changed in said]


@pytest.fixture(scope="module")
def looked(refused: list[str]) -> str:
    return succeed("adopt", "--check", "--diff", "--limit=localhost,bearer")[0]


@pytest.fixture(scope="module")
def adopted(looked: str) -> str:
    assert BEARER.run("ls /opt/gatehouse").rc != 0
    assert BASIC.run("ls /opt/gatehouse").rc != 0
    assert statuses() == SERVED
    return succeed("adopt")[0]


@pytest.fixture(scope="module")
def moved(adopted: str) -> str:
    """A service of systemd with a model of its own is adopted, and all models are to be on a disk."""
    manifest = f"{SERVICE}/manifests/registry.ollama.ai/library"
    BEARER.check_output(
        f"mkdir -p {manifest} && cp -r {VOLUME}/blobs {SERVICE}/ && cp -r {VOLUME}/manifests/*/*/tiny {manifest}/house"
    )
    service = f"[Service]\\nExecStart=/bin/sleep infinity\\nUser=nobody\\nEnvironment=OLLAMA_MODELS={SERVICE}\\n"
    unit = f"{service}[Install]\\nWantedBy=multi-user.target\\n"
    BEARER.check_output(
        f"printf '{unit}' > /etc/systemd/system/ollama.service && systemctl enable --now ollama.service"
    )
    return succeed("adopt", "--limit=localhost,bearer", adopt_compose_dir="", ollama_server_models_dir=DISK)[0]


def test_what_cannot_be_adopted_is_refused_by_name_before_anything_is_changed(refused: list[str]) -> None:
    nothing, unusable, purged = refused
    assert "adopt_compose_dir: /root/none: there is nothing to adopt" in nothing
    assert f"{FOLDER}/nginx/.htpasswd: carol: the gateway takes no {{SHA}}" in unusable
    assert "2jmj7l5rSw0yVb" not in unusable
    assert "ollama_gateway_clients_purge is true: the next deploy would remove" in purged


def test_check_mode_says_what_would_be_adopted(looked: str) -> None:
    for words in ("nginx_proxy", "/_data/models", f"{FOLDER}/nginx/api_keys.txt", "2 keys", "Would be adopted"):
        assert words in looked
    assert "my-secret-api-key-1" not in looked


def test_the_same_users_and_keys_are_served_and_no_others(adopted: str) -> None:
    assert statuses() == SERVED


def test_nobody_has_a_new_secret_and_none_is_printed(adopted: str) -> None:
    secrets = SCENARIO.inventory.parent / ".gatehouse/secrets"
    assert not secrets.exists() or list(secrets.iterdir()) == []
    theirs = (SCENARIO.inventory.parent / "files/nginx/.htpasswd").read_text()
    ours = BASIC.check_output("cat /opt/gatehouse/gateway/clients/htpasswd")
    assert [line for line in ours.splitlines() if line[0] != "#"] == theirs.splitlines()
    for secret in (*KEYS, *(line.partition(":")[2] for line in theirs.splitlines())):
        assert secret not in adopted


def test_the_models_are_the_same_and_nothing_was_downloaded(adopted: str, before: dict[str, str]) -> None:
    assert models() == before
    assert BEARER.run("docker logs gatehouse-ollama-ollama-1 2>&1 | grep /api/pull").rc != 0


@pytest.mark.parametrize("host", [BASIC, BEARER], ids=["basic", "bearer"])
def test_what_was_there_is_stopped_and_not_removed(adopted: str, host: Any) -> None:
    states = host.check_output("docker inspect --format '{{.State.Status}}' ollama nginx_proxy").split()
    assert states == ["exited", "exited"]
    assert host.run("docker volume inspect ollama-nginx-auth_ollama_data").rc == 0
    assert "docker volume rm ollama-nginx-auth_ollama_data" in adopted


def test_a_second_run_changes_nothing(adopted: str) -> None:
    assert succeed("adopt", "--limit=localhost,basic")[1] == 0


def test_models_of_the_service_and_of_the_volume_come_to_the_disk(moved: str, before: dict[str, str]) -> None:
    digest = before["tiny:latest"]
    assert models() == {"tiny:latest": digest, "house:latest": digest}
    assert "house" in BEARER.check_output(f"ls {DISK}/manifests/registry.ollama.ai/library")
    assert BEARER.check_output(f"find {DISK} ! -uid 60881") == ""
    assert f"They stay in {VOLUME} and in {SERVICE} as well" in moved
    assert (
        BEARER.check_output("systemctl is-active ollama.service || systemctl is-enabled ollama.service || :")
        == "inactive\ndisabled"
    )


def test_they_go_back_where_the_folder_is_taken_out_and_purge_leaves_what_is_not_ollamas(moved: str) -> None:
    there = models()
    BEARER.check_output(f"echo mine > {DISK}/notes")
    said, _changed = succeed("deploy", "--limit=localhost,bearer")
    assert f"They stay in {DISK} as well" in said
    assert models() == there
    assert "house" in BEARER.check_output(f"ls {VOLUME}/manifests/registry.ollama.ai/library")
    purge = {"ollama_server_models_dir": DISK, "ollama_server_purge_data": True}
    succeed("uninstall", "--limit=localhost,bearer", "--tags=all", **purge)
    assert BEARER.check_output(f"ls -A {DISK}") == "notes"
    assert BEARER.run("docker volume inspect gatehouse-ollama_ollama").rc != 0
