# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each example of docs/connect.md is run as it stands there, over HTTPS with a CA of one's own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from passlib.hash import sha512_crypt

from tests.certificates import Authority
from tests.component.contract.standins import LAB, registry, standin
from tests.component.gateways import KEYS, Gateway, record, with_tls

PAGE = (Path(__file__).parents[2] / "docs" / "connect.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
COMMAND = "The `ollama` command"
EXAMPLE = "https://llm.example.com:8880"


def blocks(title: str, language: str) -> list[str]:
    """The examples of a section."""
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTIONS[title], re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def entrance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    root = tmp_path_factory.mktemp("connect")
    authority = Authority()
    with registry() as source, standin(root / "models", STANDIN_REGISTRY=f"http://{source.address}") as server:
        assert server.run("pull", "tiny").returncode == 0
        one = Gateway(root / "gateway", "both", server.address, **with_tls(["127.0.0.1"]))
        one.allow({"alice": ["inference", "models_read"]}, {"alice": ["tiny"]})
        one.present(authority.issue("127.0.0.1"), authority)
        with one.running():
            yield one


@pytest.fixture(scope="module")
def environment(entrance: Gateway) -> dict[str, str]:
    """What the first block of the page exports, and nothing of a key that the machine has for others."""
    kept = {name: value for name, value in os.environ.items() if not re.search("(?i)proxy|_API_KEY|_AUTH_TOKEN", name)}
    url, ca = f"https://{entrance.address}", str(entrance.folder / "ca.pem")
    return {**kept, "GATEHOUSE_URL": url, "GATEHOUSE_CA": ca, "GATEHOUSE_KEY": KEYS["alice.laptop"]}


def test_each_line_of_curl_gets_what_it_asks_for(environment: dict[str, str]) -> None:
    lines = [line for block in blocks("curl", "shell") for line in block.splitlines()]
    assert len(lines) == 3
    for line in lines:
        command = ["bash", "-ec", line.replace("curl ", "curl -sS --fail-with-body ", 1)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, ""), line + done.stdout + done.stderr
        assert "tiny" in done.stdout


@pytest.mark.parametrize("title", [title for title in SECTIONS if blocks(title, "python")])
def test_each_program_in_python_works(title: str, environment: dict[str, str]) -> None:
    trusting = {**environment, "SSL_CERT_FILE": environment["GATEHOUSE_CA"]}
    for block in blocks(title, "python"):
        command = [sys.executable, "-c", block]
        done = subprocess.run(command, env=trusting, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "assistant" in done.stdout or "content=" in done.stdout
        # Who does not trust the CA is not served.
        stranger = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
        assert stranger.returncode != 0


def test_every_program_of_the_page_is_tried() -> None:
    tried = {"curl", "Continue", "Open WebUI", COMMAND, *(title for title in SECTIONS if blocks(title, "python"))}
    assert set(SECTIONS) - tried == {"Trust the CA", "In a browser", "When it does not work"}


def test_the_ollama_command_works_with_a_key_that_may_stand_in_the_path_and_with_no_other(
    entrance: Gateway, environment: dict[str, str], tmp_path: Path
) -> None:
    command = tmp_path / "ollama"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m standin.cli "$@"\n')
    command.chmod(0o755)
    variables = {**environment, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(LAB)}
    (block, _inside) = blocks(COMMAND, "shell")
    secret = tmp_path / "my-hosts" / ".gatehouse" / "secrets" / "alice.cli"
    secret.parent.mkdir(parents=True)
    secret.write_text(KEYS["alice.laptop"] + "\n")

    def run() -> subprocess.CompletedProcess[str]:
        shell = ["bash", "-ec", block]
        return subprocess.run(
            shell, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60, check=False
        )

    refused = run()
    assert refused.returncode != 0
    assert "something went wrong, please see the ollama server logs for details" in refused.stderr
    kept = [(entrance.folder / "clients" / name).read_text().splitlines() for name in ("api_keys", "clients.json")]
    try:
        entrance.write("api_keys", [record("alice.laptop", KEYS["alice.laptop"], "last4=ptop", "in_path=yes")])
        entrance.allow({"alice": ["inference", "models_read", "models_write"]}, {"alice": ["tiny"]})
        done = run()
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("NAME ")
        assert "tiny:latest" in done.stdout
        assert KEYS["alice.laptop"] not in entrance.logs()
    finally:
        entrance.write("api_keys", kept[0])
        entrance.write("clients.json", kept[1])


def lists(entrance: Gateway, url: str, key: str) -> bool:
    """Whether the URL and key that somebody would write into a program get a list of models and an answer."""
    base = url.replace(EXAMPLE, f"https://{entrance.address}")
    headers = {"Authorization": f"Bearer {KEYS['alice.laptop'] if key == 'the-key-of-alice' else key}"}
    ca = str(entrance.folder / "ca.pem")
    models = requests.get(f"{base}/models", headers=headers, verify=ca, timeout=20)
    body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
    answer = requests.post(f"{base}/chat/completions", headers=headers, json=body, verify=ca, timeout=20)
    return [models.status_code, answer.status_code] == [200, 200]


def test_the_settings_for_continue_are_right(entrance: Gateway) -> None:
    (block,) = blocks("Continue", "yaml")
    (model,) = yaml.safe_load(block)["models"]
    assert (model["provider"], model["model"]) == ("openai", "tiny")
    assert lists(entrance, model["apiBase"], model["apiKey"])


def test_the_settings_for_open_webui_are_right(entrance: Gateway) -> None:
    (block,) = blocks("Open WebUI", "shell")
    settings = dict(line.split("=", 1) for line in block.splitlines())
    assert lists(entrance, settings["OPENAI_API_BASE_URL"], settings["OPENAI_API_KEY"])


def test_a_password_of_other_letters_is_sent_as_the_page_says(entrance: Gateway, environment: dict[str, str]) -> None:
    password = "密码 ñandú"
    url, ca = environment["GATEHOUSE_URL"] + "/api/tags", environment["GATEHOUSE_CA"]
    kept = (entrance.folder / "clients" / "htpasswd").read_text().splitlines()
    try:
        entrance.write("htpasswd", ["alice:" + sha512_crypt.using(rounds=5000).hash(password)])
        words = 'auth=(b"alice", password.encode())'
        assert words in PAGE
        answer = requests.get(url, auth=(b"alice", password.encode()), verify=ca, timeout=20)  # type: ignore[arg-type]
        assert answer.status_code == 200
        command = ["curl", "-sS", "--fail", "--cacert", ca, "-u", f"alice:{password}", url]
        subprocess.run(command, check=True, capture_output=True, timeout=20)
    finally:
        entrance.write("htpasswd", kept)
