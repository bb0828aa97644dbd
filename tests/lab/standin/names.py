# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Model names: host/namespace/model:tag, with defaults, compared without regard to case."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


@dataclass(frozen=True)
class Name:
    host: str
    namespace: str
    model: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Name:
        tag = DEFAULT_TAG
        if text.rfind(":") > text.rfind("/"):
            text, _, tag = text.rpartition(":")
        # A scheme stands before the host; it says nothing about how a registry is reached.
        text = text.partition("://")[2] or text if "://" in text else text
        parts = text.rsplit("/", 2)
        model = parts.pop()
        namespace = parts.pop() if parts else DEFAULT_NAMESPACE
        host = parts.pop() if parts else DEFAULT_HOST
        return cls(host, namespace, model, tag)

    @classmethod
    def parse_local(cls, text: str) -> Name:
        """Where a model is run or shown: blanks around the name and the tag `local` say nothing."""
        return cls.parse(text.strip().removesuffix(":local"))

    @property
    def valid(self) -> bool:
        return bool(
            _HOST.fullmatch(self.host)
            and _NAMESPACE.fullmatch(self.namespace)
            and _PART.fullmatch(self.model)
            and _PART.fullmatch(self.tag)
        )

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.host.lower(), self.namespace.lower(), self.model.lower(), self.tag.lower()

    @property
    def is_default_host(self) -> bool:
        return self.host.lower() == DEFAULT_HOST

    def full(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    def short(self) -> str:
        """As listed: what is default on the left is left out."""
        text = f"{self.model}:{self.tag}"
        if not self.is_default_host:
            return f"{self.host}/{self.namespace}/{text}"
        return text if self.namespace.lower() == DEFAULT_NAMESPACE else f"{self.namespace}/{text}"
