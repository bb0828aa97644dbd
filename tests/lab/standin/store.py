# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models on disk in Ollama's layout: blobs/sha256-… and manifests/host/namespace/model/tag."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import gguf, tokens
from .names import Name
from .speech import Speech, speech_of

MEDIA = "application/vnd.ollama.image."
CONFIG_MEDIA = "application/vnd.docker.container.image.v1+json"
_DIGEST = re.compile(r"sha256[-:]([0-9a-fA-F]{64})")

Layer = dict[str, Any]


class InvalidDigest(ValueError):
    """Not the form sha256:<64 hex digits>."""


def config_of(head: gguf.Head) -> bytes:
    """What a model's configuration says of its weights."""
    config = {
        "model_format": "gguf",
        "model_family": head.architecture,
        "model_families": [head.architecture],
        "model_type": head.parameter_size,
        "file_type": "unknown",
        "architecture": "amd64",
        "os": "linux",
    }
    return json.dumps(config, separators=(",", ":")).encode() + b"\n"


@lru_cache(maxsize=64)
def _gguf_head(path: Path, mtime_ns: int) -> gguf.Head:
    return gguf.read(path)


@lru_cache(maxsize=64)
def _tokenizer(path: Path, mtime_ns: int) -> tokens.Tokenizer:
    values = _gguf_head(path, mtime_ns).values
    merges = values.get("tokenizer.ggml.merges")
    return tokens.Tokenizer(values["tokenizer.ggml.tokens"], merges) if merges else tokens.DEFAULT


@dataclass(frozen=True)
class Model:
    """One manifest of the store, with what its layers say."""

    name: Name
    store: Store
    manifest: dict[str, Any]
    digest: str
    modified_ns: int

    @property
    def layers(self) -> list[Layer]:
        return list(self.manifest.get("layers", []))

    @property
    def size(self) -> int:
        return sum(layer["size"] for layer in [*self.layers, self.manifest["config"]])

    def layer(self, kind: str) -> Layer | None:
        return next((layer for layer in self.layers if layer["mediaType"] == MEDIA + kind), None)

    def text(self, kind: str) -> str:
        layer = self.layer(kind)
        return self.store.blob_path(layer["digest"]).read_text("utf-8", "replace") if layer else ""

    @property
    def config(self) -> dict[str, Any]:
        return dict(json.loads(self.store.blob_path(self.manifest["config"]["digest"]).read_bytes()))

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(json.loads(self.text("params") or "{}"))

    @property
    def weights_path(self) -> Path | None:
        layer = self.layer("model")
        return self.store.blob_path(layer["digest"]) if layer else None

    @property
    def gguf_head(self) -> gguf.Head:
        path = self.weights_path
        return _gguf_head(path, path.stat().st_mtime_ns) if path else gguf.Head()

    @property
    def template(self) -> str:
        return self.text("template") or "{{ .Prompt }}"

    def trained(self, key: str) -> int:
        """A number that the weights tell under the name of their architecture."""
        head = self.gguf_head
        return int(head.values.get(f"{head.architecture}.{key}", 0))

    @property
    def embeds(self) -> bool:
        return self.trained("pooling_type") > 0

    @property
    def capabilities(self) -> list[str]:
        found = ["embedding" if self.embeds else "completion"]
        found += ["tools"] if ".Tools" in self.template else []
        return found + (["thinking"] if ".Thinking" in self.template else [])

    @property
    def speech(self) -> Speech:
        return speech_of(str(self.gguf_head.values.get("general.description")), self.template)

    @property
    def tokenizer(self) -> tokens.Tokenizer:
        path = self.weights_path
        return _tokenizer(path, path.stat().st_mtime_ns) if path else tokens.DEFAULT

    def details(self) -> dict[str, Any]:
        config = self.config
        return {
            "parent_model": "",
            "format": config.get("model_format", ""),
            "family": config.get("model_family", ""),
            "families": config.get("model_families"),
            "parameter_size": config.get("model_type", ""),
            "quantization_level": config.get("file_type", ""),
        }


class Store:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs"
        self.manifests = root / "manifests"
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.manifests.mkdir(parents=True, exist_ok=True)

    def blob_path(self, digest: str) -> Path:
        match = _DIGEST.fullmatch(digest)
        if not match:
            raise InvalidDigest("invalid digest format")
        return self.blobs / f"sha256-{match[1]}"

    def has_blob(self, digest: str) -> bool:
        return self.blob_path(digest).is_file()

    def add_blob(self, data: bytes) -> tuple[str, bool]:
        """The digest, and whether the blob was there before."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        existed = self.has_blob(digest)
        if not existed:
            self._write(self.blob_path(digest), data)
        return digest, existed

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.root)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)

    def manifest_path(self, name: Name) -> Path:
        return self.manifests / name.host / name.namespace / name.model / name.tag

    def names(self) -> list[Name]:
        found = []
        for path in sorted(self.manifests.glob("*/*/*/*")):
            if path.is_file():
                found.append(Name(*path.relative_to(self.manifests).parts))
        return found

    def existing(self, name: Name) -> Name:
        """The same name as it is spelled in the store, or as given."""
        if self.manifest_path(name).is_file():
            return name
        return next((known for known in self.names() if known.key == name.key), name)

    def load(self, name: Name) -> Model | None:
        path = self.manifest_path(self.existing(name))
        try:
            data = path.read_bytes()
            modified = path.stat().st_mtime_ns
            manifest = json.loads(data)
        except (OSError, ValueError):
            return None
        return Model(self.existing(name), self, manifest, hashlib.sha256(data).hexdigest(), modified)

    def models(self) -> list[Model]:
        return [model for name in self.names() if (model := self.load(name))]

    def write_manifest(self, name: Name, data: bytes) -> list[str]:
        """Put a name on a manifest; the layers that nothing refers to any more are removed and returned."""
        before = self.load(name)
        self._write(self.manifest_path(name), data)
        return self._prune(before.manifest) if before else []

    def copy(self, source: Name, target: Name) -> None:
        data = self.manifest_path(source).read_bytes()
        self.write_manifest(target, data)

    def delete(self, model: Model) -> None:
        path = self.manifest_path(model.name)
        path.unlink()
        with contextlib.suppress(OSError):
            for parent in list(path.parents)[:3]:
                parent.rmdir()
        self._prune(model.manifest)

    def _prune(self, manifest: dict[str, Any]) -> list[str]:
        def digests(content: dict[str, Any]) -> set[str]:
            return {layer["digest"] for layer in [*content.get("layers", []), content["config"]]}

        used = set().union(*(digests(model.manifest) for model in self.models()))
        unused = sorted(digests(manifest) - used)
        for digest in unused:
            self.blob_path(digest).unlink(missing_ok=True)
        return unused
