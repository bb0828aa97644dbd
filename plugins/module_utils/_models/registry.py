# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a registry, from the host, for the digest that a model has there now. Downloads nothing."""

from __future__ import annotations

import hashlib
import typing as t
from urllib.error import HTTPError

from ansible.module_utils.urls import open_url
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import Name

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_TIMEOUT = 10
_MOST_BYTES = 4 << 20


class Registries:
    """Answers None where a registry cannot be asked from here, and does not try that one again."""

    def __init__(self) -> None:
        self._silent: t.Set[str] = set()

    def digests(self, name: Name, insecure: bool) -> t.Set[str] | None:
        """The digests by which the server may know what the registry has; none if it has no such model."""
        if name.host in self._silent:
            return None
        scheme = "http" if insecure else "https"
        url = f"{scheme}://{name.host}/v2/{name.namespace}/{name.model}/manifests/{name.tag}"
        try:
            answer = open_url(url, headers={"Accept": _MANIFEST}, timeout=_TIMEOUT, follow_redirects="safe")
            content = answer.read(_MOST_BYTES)
        except (OSError, ValueError) as error:
            if isinstance(error, HTTPError) and error.code == 404:
                return set()
            self._silent.add(name.host)
            return None
        found = {hashlib.sha256(content).hexdigest()}
        # Where the registry writes the manifest in another form than the server keeps it.
        header = answer.headers.get("Ollama-Content-Digest")
        return found | ({header.rpartition(":")[2]} if header else set())
