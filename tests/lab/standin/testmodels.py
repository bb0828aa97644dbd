# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tiny models of the recorded exchanges, built here, and a command that puts two of them into a registry.

python3 -m standin.testmodels http://registry:5000
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass, field

from . import gguf, speech, tokens
from .registry import MANIFEST_MEDIA, Registry
from .store import CONFIG_MEDIA, MEDIA, config_of

TEMPLATE = "{{ if .System }}{{ .System }} {{ end }}{{ .Prompt }} "
_SAID = "{{ .Content }}{{ if .ToolCalls }}{{ range .ToolCalls }}<tool_call>\n"
_CALL = '{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}\n</tool_call>{{ end }}{{ end }}'
_TOOLS = "{{ if .Tools }}tools:{{ range .Tools }}{{ . }}{{ end }}{{ end }}"
TOOLS_TEMPLATE = (
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n"
    f"{_SAID}{_CALL}<|im_end|>\n{{{{ end }}}}{_TOOLS}<|im_start|>assistant\n"
)
THINK_TEMPLATE = (
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n"
    "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}<|im_end|>\n"
    "{{ end }}<|im_start|>assistant\n"
)


@dataclass(frozen=True)
class Spec:
    """What a model is made of."""

    parameters: dict[str, object]
    description: str = "tiny synthetic test model"
    template: str = TEMPLATE
    system: str = ""
    license: str = ""
    # Tokens of its own, beside those that all of them have.
    words: list[str] = field(default_factory=list)
    pooling: bool = False
    broken: bool = False


_USUAL: dict[str, object] = {"num_ctx": 512, "num_thread": 1, "stop": ["User:"], "temperature": 0}
_SHORT: dict[str, object] = {"num_predict": 64, "temperature": 0}
SPECS = {
    "tiny": Spec(_USUAL, system="You are tiny.", license="none"),
    "tiny-loop": Spec({**_USUAL, "num_predict": 4000}, speech.LOOPING, system="You are tiny.", license="none"),
    "tiny-embed": Spec({"num_ctx": 512}, template="", pooling=True),
    "tiny-tools": Spec({"num_ctx": 2048, **_SHORT}, template=TOOLS_TEMPLATE, words=speech.CALLING),
    "tiny-think": Spec({"num_ctx": 512, **_SHORT}, template=THINK_TEMPLATE, words=speech.THINKING[:5]),
    "tiny-ctx": Spec({"num_ctx": 256, "num_thread": 1}),
    "tiny-bad": Spec({"num_ctx": 512}, template="", broken=True),
    "tiny-repeat": Spec({"num_ctx": 512, "temperature": 0}, speech.REPEATING),
}
# Those that a registry has.
PACKAGES = ["tiny", "tiny-loop", "tiny-embed"]


def weights(name: str, encoded: bool = True) -> bytes:
    """A GGUF file with the metadata of the recorded models; `encoded` as the server stores it, who adds a key."""
    spec = SPECS[name]
    vocabulary = tokens.vocabulary(spec.words)
    size = len(vocabulary)
    values: list[tuple[str, int, object]] = [
        ("general.architecture", gguf.STRING, "llama"),
        ("general.description", gguf.STRING, spec.description),
        ("general.file_type", gguf.UINT32, 0),
        ("general.parameter_count", gguf.UINT64, 82240 + 128 * size),
        ("llama.attention.head_count", gguf.UINT32, 4),
        ("llama.attention.head_count_kv", gguf.UINT32, 4),
        ("llama.attention.layer_norm_rms_epsilon", gguf.FLOAT32, 1e-5),
        ("llama.block_count", gguf.UINT32, 2),
        ("llama.context_length", gguf.UINT32, 2048),
        ("llama.embedding_length", gguf.UINT32, 64),
        ("llama.feed_forward_length", gguf.UINT32, 128),
        *([("llama.pooling_type", gguf.UINT32, 1)] if spec.pooling else []),
        ("llama.rope.dimension_count", gguf.UINT32, 16),
        ("llama.rope.freq_base", gguf.FLOAT32, 10000.0),
        ("llama.vocab_size", gguf.UINT32, size),
        ("tokenizer.ggml.add_bos_token", gguf.BOOL, True),
        ("tokenizer.ggml.bos_token_id", gguf.UINT32, size - 4),
        ("tokenizer.ggml.eos_token_id", gguf.UINT32, size - 1),
        ("tokenizer.ggml.merges", gguf.ARRAY, (gguf.STRING, tokens.MERGES)),
        ("tokenizer.ggml.model", gguf.STRING, "gpt2"),
        ("tokenizer.ggml.pre", gguf.STRING, "llama-bpe"),
        ("tokenizer.ggml.token_type", gguf.ARRAY, (gguf.INT32, [1] * (size - 4) + [3] * 4)),
        ("tokenizer.ggml.tokens", gguf.ARRAY, (gguf.STRING, vocabulary)),
    ]
    tensors: list[tuple[str, list[int]]] = [
        ("output.weight", [64, size]),
        ("output_norm.weight", [64]),
        ("token_embd.weight", [64, size]),
    ]
    for block in ("blk.0.", "blk.1."):
        tensors += [(f"{block}attn_{part}.weight", [64, 64]) for part in ("k", "output", "q", "v")]
        tensors.insert(-3, (block + "attn_norm.weight", [64]))
        tensors += [(block + "ffn_down.weight", [128, 64]), (block + "ffn_gate.weight", [64, 128])]
        tensors += [(block + "ffn_norm.weight", [64]), (block + "ffn_up.weight", [64, 128])]
    if spec.broken:
        tensors[1] = ("absent_norm.weight", [64])
    data = gguf.build(values, tensors)
    return gguf.encode(data) if encoded else data


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Package:
    """A model as a registry holds it."""

    manifest: bytes
    blobs: dict[str, bytes]


def package(name: str) -> Package:
    spec = SPECS[name]
    blobs: dict[str, bytes] = {}

    def layer(media: str, data: bytes) -> dict[str, object]:
        digest = digest_of(data)
        blobs[digest] = data
        return {"mediaType": media, "digest": digest, "size": len(data)}

    data = weights(name)
    parts = {
        "model": data,
        "template": spec.template.encode(),
        "system": spec.system.encode(),
        "license": spec.license.encode(),
        "params": json.dumps(dict(sorted(spec.parameters.items())), separators=(",", ":")).encode() + b"\n",
    }
    layers = [layer(MEDIA + kind, content) for kind, content in parts.items() if content]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA,
        "config": layer(CONFIG_MEDIA, config_of(gguf.parse(data))),
        "layers": layers,
    }
    return Package(json.dumps(manifest, separators=(",", ":")).encode(), blobs)


def main() -> None:
    parser = argparse.ArgumentParser(description="Put library/tiny and the other models into a registry.")
    parser.add_argument("registry", help="base URL, e.g. http://registry:5000")
    url = parser.parse_args().registry.rstrip("/")
    for name in PACKAGES:
        model = package(name)
        repository = Registry(url, url).repository("library", name)
        for digest, data in model.blobs.items():
            if not repository.has_blob(digest):
                repository.upload_blob(digest, data)
        repository.put_manifest("latest", model.manifest)
        print(f"library/{name}:latest")


if __name__ == "__main__":
    main()
