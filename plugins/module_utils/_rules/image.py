# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image a server runs: of which version of Ollama is it, and was it built for AMD's GPUs?"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.common import tag

VARIABLE = "ollama_server_image"
MINIMUM_VARIABLE = "ollama_server_minimum_version"
# The role's default. For AMD it gets the suffix of the vendor's other build.
DEFAULT_IMAGE = "docker.io/ollama/ollama:0.32.15"
ROCM = "-rocm"
WHY_MINIMUM = (
    "before 0.17.1 a crafted GGUF file, sent to /api/create, reads the server's memory with keys and other people's "
    "prompts in it (CVE-2026-7482)"
)

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(-rc\d*)?(?![0-9A-Za-z.])")

Version = t.Tuple[int, int, int, int]


def read_version(text: str) -> Version | None:
    """The version that a text begins with, to be compared; a candidate counts less than its release."""
    found = _VERSION.match(text)
    if not found:
        return None
    major, minor, patch, candidate = found.groups()
    return int(major), int(minor), int(patch or 0), 0 if candidate else 1


def is_official(image: str) -> bool:
    """Whether this is Ollama's own image, perhaps from a mirror, whose tag is the version of Ollama."""
    return bool(re.match(r"(.*/)?ollama/ollama[:@]", image))


def for_accelerator(image: str, accelerator: str) -> tuple[str, str | None]:
    """The image to run, and what is wrong with it: AMD's GPUs have a build of their own."""
    if accelerator != "amd" or "rocm" in image:
        return image, None
    if image == DEFAULT_IMAGE:
        return image + ROCM, None
    return image, (
        "%s: the tag of %s lacks rocm; only the vendor's build for ROCm computes on AMD's GPUs. Name one such as "
        "%s%s, or choose another accelerator" % (VARIABLE, image, DEFAULT_IMAGE, ROCM)
    )


def version_problem(image: str, minimum: str, answered: str | None = None) -> tuple[bool, str | None]:
    """Whether the version is known, and whether it is too old. `answered` is what Ollama itself says it is."""
    least = read_version(minimum)
    if least is None:
        return True, "%s: it must be a version, such as 0.17.1" % MINIMUM_VARIABLE
    found = (read_version(tag(image)) if is_official(image) else None) if answered is None else read_version(answered)
    if found is None:
        return False, None
    if found >= least:
        return True, None
    shown = tag(image) if answered is None else "Ollama %s" % answered
    reason = WHY_MINIMUM if found < (0, 17, 1, 1) else "that is what this variable says"
    return True, (
        "%s: %s is %s, older than %s %s: %s. Name a newer image, such as %s, or lower %s if you accept that"
        % (VARIABLE, image, shown, MINIMUM_VARIABLE, minimum, reason, DEFAULT_IMAGE, MINIMUM_VARIABLE)
    )
