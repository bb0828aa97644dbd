# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of one kind are judged here, for the variables of all roles: what would be right, None if they are."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems

_FOLDER = re.compile(r"(/[^/:$\n]+){2,}\Z")
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9./_:-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})\Z")
_TAG = re.compile(r":(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]*)(@sha256:[0-9a-f]{64})?\Z")
_URL = re.compile(r"https?://[^/\s]\S*\Z")
_RELEASE = re.compile(r"([0-9]+\.[0-9]+\.[0-9]+)?\Z")
# As Docker reads it: units are powers of 1024, in letters of any size.
_MEMORY = re.compile(r"(\d{1,15}(?:\.\d{1,15})?) ?(?:b|([kmgtp])(?:i?b)?)?\Z", re.IGNORECASE | re.ASCII)
_CPUS = re.compile(r"\d{1,6}(\.\d{1,9})?\Z", re.ASCII)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}
# What the kernel takes for a number of a user.
MOST = 2**31 - 1
# Docker gives no container less.
_LEAST_MEMORY = 6 << 20


@dataclass
class Checked:
    """What was found: `problems` and `warnings` begin with their variable, `result` is for later tasks."""

    problems: Problems = field(default_factory=Problems)
    warnings: list[str] = field(default_factory=list)
    result: dict[str, t.Any] = field(default_factory=dict)


class Controller(t.NamedTuple):
    """What rules need to know of the machine on which Ansible runs."""

    # The text of a file as roles find files there, None if there is none.
    read: t.Callable[[str], t.Optional[str]]
    # Where the folder `secrets`, `valkey`, `ca` or `door_ca` is now; raises SecretStoreError if it cannot be that.
    private_folder: t.Callable[[str, str], str]
    # What all tasks of one run have in common, and no other has.
    run: str


def wrong(prefix: str, rights: t.Mapping[str, str | None]) -> Problems:
    """The problems of variables, by their names behind `prefix`."""
    return Problems(f"{prefix}{name}: it must be {right}" for name, right in rights.items() if right)


def unless(holds: object, right: str) -> str | None:
    return None if holds else right


def folder(value: str, example: str) -> str | None:
    right = "an absolute path of its own, without a colon or a dollar sign, such as %s"
    return unless(_FOLDER.match(value), right % example)


def network(value: str) -> str | None:
    return unless(_NETWORK.match(value), "the name of a Docker network, such as ollama")


def is_pinned(image: object) -> bool:
    """Whether this names an image with a pinned tag or a digest."""
    return isinstance(image, str) and bool(_IMAGE.match(image)) and tag(image) != "latest"


def tag(image: str) -> str:
    """The tag of an image, empty where only a digest names it."""
    found = _TAG.search(image)
    return found.group("tag") if found else ""


def image(value: str, example: str) -> str | None:
    return unless(is_pinned(value), "an image with a pinned tag or a digest, such as %s" % example)


def count(value: int, right: str) -> str | None:
    return unless(0 <= value <= MOST, right)


def memory_bytes(value: object) -> int | None:
    """A size such as 1.5g, as Docker reads it; None if it is none."""
    found = _MEMORY.match(str(value))
    return int(float(found.group(1)) * (1 << _UNITS[(found.group(2) or "").lower()])) if found else None


def memory(value: object) -> str | None:
    holds = value == "" or (memory_bytes(value) or 0) >= _LEAST_MEMORY
    return unless(holds, "a size of 6m or more, such as 512m or 1.5g, or empty for no limit")


def cpus(value: object) -> str | None:
    holds = value == "" or (_CPUS.match(str(value)) and float(str(value)) > 0)
    return unless(holds, "a number of processors such as 1.5, or empty for no limit")


def url(value: str, example: str) -> str | None:
    return unless(_URL.match(value), "an address such as %s" % example)


def release(value: str, example: str) -> str | None:
    return unless(_RELEASE.match(value), "empty, or three numbers such as %s" % example)


def package_key(prefix: str, values: t.Mapping[str, t.Any], controller: Controller, problems: Problems) -> str:
    """The key by which packages are trusted, as a text; empty for that of a repository that comes over HTTPS."""
    variable, given = prefix + "repository_key", values["repository_key"]
    key = given if not given or "BEGIN PGP" in given else controller.read(given) or ""
    if not given and not values["repository_url"].startswith("https:"):
        problems.add(
            variable,
            f"it may be empty only where {prefix}repository_url begins with https: over plain HTTP anybody on the way "
            "can send other packages, and the key that they are signed with. It must be a public key in ASCII armour, "
            "or the path of one on the controller",
        )
    elif given and "BEGIN PGP PUBLIC KEY BLOCK" not in key:
        problems.add(variable, "it must be a public key in ASCII armour, or the path of one on the controller")
    return key
