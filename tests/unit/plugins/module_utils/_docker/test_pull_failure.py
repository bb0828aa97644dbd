# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine says of a failed pull, from Docker 26 and containerd's image store, and what is made of it."""

from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.pull_failure import explain, registry

IMAGE = "docker.io/ollama/ollama:0.32.15"
LIMITED = "pull no more"
UNKNOWN = "no such image"
LOGIN = "without a login"
UNREACHABLE = "does not reach the registry docker.io"

SAID = {
    "toomanyrequests: You have reached your unauthenticated pull rate limit. https://docker.com/increase": LIMITED,
    "toomanyrequests:": LIMITED,
    "unexpected status from HEAD request to https://mirror.example/v2/x/manifests/1: 429 Too Many Requests": LIMITED,
    "manifest for ollama/ollama:0.0.1 not found: manifest unknown: manifest unknown": UNKNOWN,
    "repository example.com/x not found: name unknown: repository name not known to registry": UNKNOWN,
    'failed to resolve reference "docker.io/ollama/ollama:0.0.1": docker.io/ollama/ollama:0.0.1: not found': UNKNOWN,
    "no matching manifest for linux/riscv64 in the manifest list entries": "architecture",
    "pull access denied for x, repository does not exist or may require 'docker login': denied: requested access to "
    "the resource is denied": "no such repository, or shows it to nobody without a login",
    "unauthorized: authentication required": LOGIN,
    'Head "https://ghcr.io/v2/x/manifests/1": denied: denied': LOGIN,
    "unexpected status from HEAD request to https://example.com/v2/x/manifests/1: 403 Forbidden": LOGIN,
    'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 192.0.2.53:53: no such host': (
        UNREACHABLE
    ),
    'Get "https://registry-1.docker.io/v2/": net/http: request canceled while waiting for connection (Client.Timeout '
    "exceeded while awaiting headers)": UNREACHABLE,
    'Get "https://registry-1.docker.io/v2/": proxyconnect tcp: dial tcp 192.0.2.1:3128: connect: connection refused': (
        UNREACHABLE
    ),
    'Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout': UNREACHABLE,
    'Get "https://example.com/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority': (
        "does not trust"
    ),
    "received unexpected HTTP status: 503 Service Unavailable": "in trouble",
    "failed to register layer: write /usr/lib/ollama/x: no space left on device": "disk is full",
    "something new": "says no more",
}


@pytest.mark.parametrize(("said", "meaning"), SAID.items())
def test_what_the_registry_refused_for_is_said(said: str, meaning: str) -> None:
    assert meaning in explain(IMAGE, "Error response from daemon: " + said, "ollama_server_image_archive")


@pytest.mark.parametrize("said", [said for said, meaning in SAID.items() if meaning in (LIMITED, LOGIN)])
def test_a_registry_that_refuses_is_no_image_that_does_not_exist(said: str) -> None:
    text = explain(IMAGE, said, "ollama_server_image_archive")
    assert "exist" not in text
    assert "docker login docker.io" in text
    assert "registry-mirrors" in text
    assert "ollama_server_image_archive" in text


@pytest.mark.parametrize("said", [said for said, meaning in SAID.items() if meaning == UNKNOWN])
def test_only_a_registry_that_knows_of_none_makes_an_image_one_that_does_not_exist(said: str) -> None:
    assert "name an image that exists" in explain(IMAGE, said, "ollama_server_image_archive")


@pytest.mark.parametrize(
    ("name", "host"),
    [
        (IMAGE, "docker.io"),
        ("ollama/ollama:1", "docker.io"),
        ("nginx:1", "docker.io"),
        ("ghcr.io/x/y:1", "ghcr.io"),
        ("localhost:5000/x:1", "localhost:5000"),
        ("mirror:5000/ollama/ollama:1", "mirror:5000"),
    ],
)
def test_the_registry_is_the_one_to_log_in_to(name: str, host: str) -> None:
    assert registry(name) == host
