# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models for the stand-in, in the form in which Ollama's registry holds them: small, but of every layer kind."""

from __future__ import annotations

import hashlib
import json
import struct

import requests

from tests.lab.base import LabError

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.ollama.image."
# name: (size of the weights, number of parameters, size as shown to users)
MODELS = {
    "library/tiny:latest": (529952, 129984, "130K"),
    "library/tiny-loop:latest": (529952, 129984, "130K"),
    "library/llama3.2:1b": (1048576, 1235814432, "1.2B"),
}


def push(url: str) -> None:
    """Put all models into the registry at `url`; what is there stays."""
    with requests.Session() as session:
        for name in MODELS:
            _push(session, url, name)


def _layers(name: str) -> dict[str, bytes]:
    """The content of a model's layers by kind, in the order in which Ollama writes them."""
    size, _count, _shown = MODELS[name]
    parameters = {"num_ctx": 512, "num_thread": 1, "stop": ["User:"], "temperature": 0}
    # The head of a GGUF file of version 3 without tensors or metadata; then bytes that differ from model to model.
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)
    return {
        "model": head + hashlib.shake_256(name.encode()).digest(size - len(head)),
        "template": b"{{ if .System }}{{ .System }} {{ end }}{{ .Prompt }} ",
        "system": b"You are tiny.",
        "license": b"none",
        "params": json.dumps(parameters, separators=(",", ":")).encode(),
    }


def _push(session: requests.Session, url: str, name: str) -> None:
    repository, tag = name.split(":")
    layers = _layers(name)
    config = {
        "model_format": "gguf",
        "model_family": "llama",
        "model_families": ["llama"],
        "model_type": MODELS[name][2],
        "file_type": "unknown",
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [_digest(content) for content in layers.values()]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _blob(session, f"{url}/v2/{repository}", CONFIG_TYPE, json.dumps(config).encode()),
        "layers": [
            _blob(session, f"{url}/v2/{repository}", LAYER_TYPE + kind, content) for kind, content in layers.items()
        ],
    }
    reply = session.put(
        f"{url}/v2/{repository}/manifests/{tag}",
        data=json.dumps(manifest),
        headers={"Content-Type": MANIFEST_TYPE},
        timeout=30,
    )
    _check(reply, 201, f"the manifest of {name}")


def _blob(session: requests.Session, repository_url: str, media_type: str, content: bytes) -> dict[str, str | int]:
    """Upload one blob unless it is there; returns its descriptor for the manifest."""
    digest = _digest(content)
    if session.head(f"{repository_url}/blobs/{digest}", timeout=30).status_code != 200:
        started = session.post(f"{repository_url}/blobs/uploads/", timeout=30)
        _check(started, 202, f"an upload of {media_type}")
        done = session.put(
            started.headers["Location"],
            params={"digest": digest},
            data=content,
            headers={"Content-Type": "application/octet-stream"},
            timeout=30,
        )
        _check(done, 201, f"a blob of {media_type}")
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _check(reply: requests.Response, status: int, what: str) -> None:
    if reply.status_code != status:
        raise LabError(f"the registry did not take {what}: {reply.status_code} {reply.text[:300]}")
