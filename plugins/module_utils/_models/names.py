# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of models as Ollama reads them: host/namespace/model:tag, with defaults, compared without regard to case."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

HOST = "registry.ollama.ai"
NAMESPACE = "library"
TAG = "latest"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}\Z")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}\Z")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}\Z")

Key = t.Tuple[str, str, str, str]


@dataclass(frozen=True)
class Name:
    """The parts of a name, spelled as they were given."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def key(self) -> Key:
        """The same for all spellings of a name."""
        return self.host.lower(), self.namespace.lower(), self.model.lower(), self.tag.lower()

    @property
    def full(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def short(self) -> str:
        """As Ollama lists it: what is the default on the left is left out."""
        text = f"{self.model}:{self.tag}"
        if self.host.lower() != HOST:
            return f"{self.host}/{self.namespace}/{text}"
        return text if self.namespace.lower() == NAMESPACE else f"{self.namespace}/{text}"


def parse(text: str) -> Name | None:
    """The name that a text means, None if it cannot be one."""
    rest, tag = text, TAG
    if rest.rfind(":") > rest.rfind("/"):
        rest, _colon, tag = rest.rpartition(":")
    # A scheme says nothing: whether TLS is used is for the option insecure.
    if "://" in rest:
        rest = rest.partition("://")[2]
    parts = rest.rsplit("/", 2)
    model = parts.pop()
    namespace = parts.pop() if parts else NAMESPACE
    host = parts.pop() if parts else HOST
    if _HOST.match(host) and _NAMESPACE.match(namespace) and _PART.match(model) and _PART.match(tag):
        return Name(host, namespace, model, tag)
    return None


def key_of(text: str) -> Key:
    """The same for all spellings of the name that a server tells; what is no name is only itself."""
    name = parse(text)
    return name.key if name else ("", "", text, "")
