# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that people use work through the gateway: the SDKs of Ollama (two), OpenAI and Anthropic."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import ollama
import openai
import pytest

from tests.certificates import Authority
from tests.component.contract.standins import Standin, registry, standin
from tests.component.gateways import KEYS, PASSWORDS, Gateway, basic, gateway, with_tls
from tests.component.loads import Target

HERE = Path(__file__).parent
# Ollama's SDK for JavaScript is installed here, where a script beside node_modules finds it.
SDK = HERE.parents[1] / "build" / "sdk"
BIN = Path(sysconfig.get_path("scripts"))
KEY = KEYS["alice.laptop"]
PASSWORD = basic("alice", PASSWORDS["alice"])
MESSAGES: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    root = tmp_path_factory.mktemp("ollama")
    with registry() as source, standin(root / "models", STANDIN_REGISTRY=f"http://{source.address}") as one:
        for name in ("tiny", "tiny-loop", "tiny-embed"):
            assert one.run("pull", name).returncode == 0
        yield one


@pytest.fixture(scope="module", params=["basic", "both"])
def entrance(
    request: pytest.FixtureRequest, server: Standin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway for each engine; alice has the default scopes, and on OpenResty one model."""
    models = {} if request.param == "basic" else {"alice": ["tiny", "tiny-embed"]}
    with gateway(tmp_path_factory.mktemp(request.param), request.param, server.address) as one:
        one.allow({"alice": ["inference", "models_read"]}, models)
        yield one


@pytest.fixture(params=["password", "key"])
def native(request: pytest.FixtureRequest, entrance: Gateway) -> ollama.Client:
    """Ollama's own client, with a password or with a key."""
    if request.param == "password":
        return ollama.Client(f"http://{entrance.address}", auth=("alice", PASSWORDS["alice"]))
    if entrance.auth == "basic":
        pytest.skip("plain nginx takes passwords only")
    return ollama.Client(f"http://{entrance.address}", headers={"Authorization": f"Bearer {KEY}"})


@pytest.fixture(scope="module")
def address(server: Standin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway that takes keys; alice may use one model."""
    with gateway(tmp_path_factory.mktemp("keys"), "bearer", server.address) as one:
        one.allow({"alice": ["inference", "models_read"]}, {"alice": ["tiny", "tiny-embed"]})
        yield one.address


def test_ollama_lists_chats_generates_embeds_and_streams(native: ollama.Client) -> None:
    assert "tiny:latest" in {model.model for model in native.list().models}
    assert native.show("tiny").details
    assert native.chat("tiny", MESSAGES).message.content
    assert native.generate("tiny", "hi").response
    assert native.embed("tiny-embed", "hi").embeddings
    pieces = list(native.chat("tiny", MESSAGES, stream=True))
    assert len(pieces) > 1
    assert pieces[-1].done


def test_ollama_is_told_why_it_is_refused(native: ollama.Client, entrance: Gateway) -> None:
    with pytest.raises(ollama.ResponseError, match="lacks the scope models_write") as scope:
        native.delete("tiny")
    assert scope.value.status_code == 403
    with pytest.raises(ollama.ResponseError, match="needed") as nobody:
        ollama.Client(f"http://{entrance.address}").list()
    assert nobody.value.status_code == 401
    with pytest.raises(ollama.ResponseError) as missing:
        native.chat("no-such-model", MESSAGES)
    assert missing.value.status_code == (404 if entrance.auth == "basic" else 403)


@pytest.fixture(scope="module")
def javascript() -> Path:
    """The script with the SDK, as the lock file says; installed again only when that has changed."""
    lock, installed = HERE / "sdk" / "package-lock.json", SDK / "installed.json"
    shutil.copytree(HERE / "sdk", SDK, dirs_exist_ok=True)
    if not installed.exists() or installed.read_text() != lock.read_text():
        subprocess.run([BIN / "npm", "ci", "--no-audit", "--no-fund"], cwd=SDK, check=True, timeout=300)
        shutil.copy(lock, installed)
    return SDK / "sdk.mjs"


def test_ollama_for_javascript_works_and_is_told_why_it_is_refused(entrance: Gateway, javascript: Path) -> None:
    limited = entrance.auth == "both"
    for credential in [PASSWORD, f"Bearer {KEY}"] if limited else [PASSWORD]:
        environment = {**os.environ, "HOST": f"http://{entrance.address}", "AUTHORIZATION": credential}
        run = subprocess.run([BIN / "node", javascript], env=environment, capture_output=True, timeout=60, check=True)
        said = json.loads(run.stdout)
        allowed = {"tiny:latest", "tiny-embed:latest"}
        assert set(said["list"]) == (allowed if limited else {*allowed, "tiny-loop:latest"})
        assert said["show"]["family"]
        assert said["chat"]
        assert said["generate"]
        assert said["embed"] == 2
        for name in ("streamed_chat", "streamed_generate"):
            assert said[name]["count"] > 1
            assert said[name]["done"]
        no_scope = {"error": "this client may not do this: it lacks the scope models_write", "status": 403}
        no_model = {"error": "this client may not do this: the model is not on its list", "status": 403}
        for name in ("wrong_key", "wrong_key_streamed"):
            assert said[name]["status"] == 401
            assert "needed" in said[name]["error"]
        assert said["missing_scope"] == no_scope
        assert said["other_model"] == (no_model if limited else True)


def test_openai_and_anthropic_work_with_a_password(entrance: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    # The SDK would send it along.
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)
    headers = {"Authorization": PASSWORD}
    one = openai.OpenAI(
        base_url=f"http://{entrance.address}/v1", api_key="none", default_headers=headers, max_retries=0
    )
    assert one.chat.completions.create(model="tiny", messages=MESSAGES).choices[0].message.content
    assert len(list(one.chat.completions.create(model="tiny", messages=MESSAGES, stream=True))) > 1
    two = anthropic.Anthropic(base_url=f"http://{entrance.address}", default_headers=headers, max_retries=0)
    assert two.messages.create(model="tiny", max_tokens=20, messages=MESSAGES).content[0].type == "text"
    with two.messages.stream(model="tiny", max_tokens=20, messages=MESSAGES) as stream:
        assert "".join(stream.text_stream)


def test_openai_lists_chats_completes_embeds_responds_and_streams(address: str) -> None:
    client = openai.OpenAI(base_url=f"http://{address}/v1", api_key=KEY, max_retries=0)
    assert {model.id for model in client.models.list()} == {"tiny:latest", "tiny-embed:latest"}
    assert client.models.retrieve("tiny:latest").id
    assert client.chat.completions.create(model="tiny", messages=MESSAGES).choices[0].message.content
    assert client.completions.create(model="tiny", prompt="hi").choices[0].text
    assert client.embeddings.create(model="tiny-embed", input="hi").data[0].embedding
    assert client.responses.create(model="tiny", input="hi").output_text
    pieces = list(client.chat.completions.create(model="tiny", messages=MESSAGES, stream=True))
    assert len(pieces) > 1
    with client.responses.stream(model="tiny", input="hi") as stream:
        assert {event.type for event in stream} >= {"response.created", "response.completed"}


def test_openai_is_told_why_it_is_refused(address: str) -> None:
    client = openai.OpenAI(base_url=f"http://{address}/v1", api_key=KEY, max_retries=0)
    with pytest.raises(openai.PermissionDeniedError, match="the model is not on its list") as refused:
        client.chat.completions.create(model="tiny-loop", messages=MESSAGES)
    assert refused.value.type == "permission_error"
    with pytest.raises(openai.NotFoundError, match="no such route"):
        client.files.list()
    with pytest.raises(openai.AuthenticationError, match="is needed"):
        openai.OpenAI(base_url=f"http://{address}/v1", api_key="wrong", max_retries=0).models.list()


def test_anthropic_answers_and_streams_with_either_header(address: str) -> None:
    credentials: list[dict[str, Any]] = [{"api_key": KEY}, {"auth_token": KEY}]
    for credential in credentials:
        client = anthropic.Anthropic(base_url=f"http://{address}", max_retries=0, **credential)
        answer = client.messages.create(model="tiny", max_tokens=20, messages=MESSAGES)
        assert answer.content[0].type == "text"
        with client.messages.stream(model="tiny", max_tokens=20, messages=MESSAGES) as stream:
            assert "".join(stream.text_stream)


def test_anthropic_is_told_why_it_is_refused(address: str) -> None:
    client = anthropic.Anthropic(base_url=f"http://{address}", api_key=KEY, max_retries=0)
    with pytest.raises(anthropic.PermissionDeniedError) as refused:
        client.messages.create(model="tiny-loop", max_tokens=5, messages=MESSAGES)
    assert refused.value.body == {
        "type": "error",
        "error": {
            "type": "permission_error",
            "message": "this client may not do this: the model is not on its list",
        },
    }
    wrong = anthropic.Anthropic(base_url=f"http://{address}", api_key="wrong", max_retries=0)
    with pytest.raises(anthropic.AuthenticationError):
        wrong.messages.create(model="tiny", max_tokens=5, messages=MESSAGES)


RELOADS = 10
RELOAD_SECONDS = 0.8


def test_no_client_that_keeps_its_connections_notices_ten_reloads(
    server: Standin, javascript: Path, tmp_path: Path
) -> None:
    """Connections that idle at a reload are what clients lose elsewhere.

    With HTTP/2 nginx says at a reload that it takes no new streams, and ends those under way (RFC 9113, section 6.8).
    httpx gives up its own all the same.
    """
    authority = Authority()
    one = Gateway(tmp_path, "both", server.address, **with_tls(["127.0.0.1"]))
    one.present(authority.issue("127.0.0.1"), authority)
    url, ca = f"https://{one.address}/api/version", one.folder / "ca.pem"
    target = Target(url, f"Bearer {KEY}", ca, (RELOADS + 1) * RELOAD_SECONDS)
    try:
        one.start()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(target.all, BIN / "node", javascript.parent / "load.mjs")
            for _ in range(RELOADS):
                time.sleep(RELOAD_SECONDS)
                one.reload()
            seen = running.result()
    finally:
        one.stop()
    http2 = seen["httpx, HTTP/2"]
    http2.wrong = [text for text in http2.wrong if "ConnectionTerminated error_code:0" not in text]
    assert {name: client.wrong for name, client in seen.items()} == {name: [] for name in seen}
    assert min(client.count for client in seen.values()) > RELOADS
