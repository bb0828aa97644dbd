# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two tiny models of the recorded exchanges, built here, and a command that puts them into a registry.

python3 -m standin.testmodels http://registry:5000
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass

from . import gguf, speech
from .registry import MANIFEST_MEDIA, Registry
from .store import CONFIG_MEDIA, MEDIA

TEMPLATE = "{{ if .System }}{{ .System }} {{ end }}{{ .Prompt }} "
SYSTEM = "You are tiny."
LICENSE = "none"
PARAMETERS = {"num_ctx": 512, "num_thread": 1, "stop": ["User:"], "temperature": 0}


def weights(loops: bool) -> bytes:
    """A GGUF file with the metadata of the recorded models; the description says whether it ever stops."""
    types = [2, 3, 3] + [6] * 256 + [1] * 114
    scores = [0.0] * 259 + [-float(index + 1) for index in range(259, 373)]
    values: list[tuple[str, int, object]] = [
        ("general.architecture", gguf.STRING, "llama"),
        ("general.description", gguf.STRING, speech.LOOPING if loops else "tiny synthetic test model"),
        ("general.file_type", gguf.UINT32, 0),
        ("general.parameter_count", gguf.UINT64, 129984),
        ("llama.attention.head_count", gguf.UINT32, 4),
        ("llama.attention.head_count_kv", gguf.UINT32, 4),
        ("llama.attention.layer_norm_rms_epsilon", gguf.FLOAT32, 1e-5),
        ("llama.block_count", gguf.UINT32, 2),
        ("llama.context_length", gguf.UINT32, 2048),
        ("llama.embedding_length", gguf.UINT32, 64),
        ("llama.feed_forward_length", gguf.UINT32, 128),
        ("llama.rope.dimension_count", gguf.UINT32, 16),
        ("llama.rope.freq_base", gguf.FLOAT32, 10000.0),
        ("llama.vocab_size", gguf.UINT32, 373),
        ("tokenizer.ggml.add_bos_token", gguf.BOOL, True),
        ("tokenizer.ggml.add_eos_token", gguf.BOOL, False),
        ("tokenizer.ggml.bos_token_id", gguf.UINT32, 1),
        ("tokenizer.ggml.eos_token_id", gguf.UINT32, 2),
        ("tokenizer.ggml.model", gguf.STRING, "llama"),
        ("tokenizer.ggml.pre", gguf.STRING, "default"),
        ("tokenizer.ggml.scores", gguf.ARRAY, (gguf.FLOAT32, scores)),
        ("tokenizer.ggml.token_type", gguf.ARRAY, (gguf.INT32, types)),
        ("tokenizer.ggml.tokens", gguf.ARRAY, (gguf.STRING, speech.VOCABULARY)),
        ("tokenizer.ggml.unknown_token_id", gguf.UINT32, 0),
    ]
    tensors: list[tuple[str, list[int]]] = [
        ("token_embd.weight", [64, 373]),
        ("output_norm.weight", [64]),
        ("output.weight", [64, 373]),
    ]
    for block in ("blk.0.", "blk.1."):
        tensors += [(block + "attn_norm.weight", [64]), (block + "ffn_norm.weight", [64])]
        tensors += [(f"{block}attn_{part}.weight", [64, 64]) for part in ("q", "k", "v", "output")]
        tensors += [(f"{block}ffn_{part}.weight", [64, 128]) for part in ("gate", "up")]
        tensors.append((block + "ffn_down.weight", [128, 64]))
    return gguf.build(values, tensors)


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Package:
    """A model as a registry holds it."""

    manifest: bytes
    blobs: dict[str, bytes]


def package(loops: bool) -> Package:
    blobs: dict[str, bytes] = {}

    def layer(media: str, data: bytes) -> dict[str, object]:
        digest = digest_of(data)
        blobs[digest] = data
        return {"mediaType": media, "digest": digest, "size": len(data)}

    layers = [
        layer(MEDIA + "model", weights(loops)),
        layer(MEDIA + "template", TEMPLATE.encode()),
        layer(MEDIA + "system", SYSTEM.encode()),
        layer(MEDIA + "license", LICENSE.encode()),
        layer(MEDIA + "params", json.dumps(PARAMETERS, separators=(",", ":")).encode() + b"\n"),
    ]
    config = {
        "model_format": "gguf",
        "model_family": "llama",
        "model_families": ["llama"],
        "model_type": "130K",
        "file_type": "unknown",
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [item["digest"] for item in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA,
        "config": layer(CONFIG_MEDIA, json.dumps(config, separators=(",", ":")).encode() + b"\n"),
        "layers": layers,
    }
    return Package(json.dumps(manifest, separators=(",", ":")).encode(), blobs)


PACKAGES = {"tiny": False, "tiny-loop": True}


def main() -> None:
    parser = argparse.ArgumentParser(description="Put library/tiny and library/tiny-loop into a registry.")
    parser.add_argument("registry", help="base URL, e.g. http://registry:5000")
    url = parser.parse_args().registry.rstrip("/")
    for name, loops in PACKAGES.items():
        model = package(loops)
        repository = Registry(url, url).repository("library", name)
        for digest, data in model.blobs.items():
            if not repository.has_blob(digest):
                repository.upload_blob(digest, data)
        repository.put_manifest("latest", model.manifest)
        print(f"library/{name}:latest")


if __name__ == "__main__":
    main()
