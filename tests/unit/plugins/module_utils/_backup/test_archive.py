# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive that was written is read, and no other is."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup import archive, manifest
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import Damaged, Foreign, Manifest, Part
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.store import Store, contents

FILES = {"tls/server.pem": b"key", "state/usage/empty.jsonl": b"", "state/usage/big.jsonl": b"line\n" * 700000}
ODD = "odd/../host\u00e4:1"


@pytest.fixture
def written(tmp_path: Path) -> bytes:
    store = Store(str(tmp_path / "written"))
    for part, files in (
        (Part("gateway", ODD, "/opt/g", uses={"secrets": "/s"}, notes={"a": [1]}), FILES),
        (Part("secrets", "", "/s"), {"alice.laptop~old": b"{}"}),
        (Part("server", ODD, "/opt/o"), {}),
    ):
        with store.part(part) as writer:
            for path, content in files.items():
                writer.add(path, [content])
    target = io.BytesIO()
    archive.write(target, Manifest("2026-11-30T00:00:00Z", store.parts()), store, 1)
    return target.getvalue()


def read(content: bytes, folder: Path) -> tuple[Manifest, Store]:
    store = Store(str(folder / "read"))
    return archive.read(io.BytesIO(content), store), store


def test_all_of_it_comes_back(written: bytes, tmp_path: Path) -> None:
    found, store = read(written, tmp_path)
    assert found.hosts("gateway") == [ODD]
    part = store.find("gateway", ODD)
    assert part is not None
    assert (part.folder, part.notes) == ("/opt/g", {"a": [1]})
    assert {one.path: b"".join(blocks) for one, blocks in contents(store.content(part), part.files)} == FILES
    used = store.used(part, "secrets")
    assert used is not None
    assert [one.path for one in used.files] == ["alice.laptop~old"]
    store.clear()
    assert store.parts() == []


def test_anybody_can_unpack_it_by_hand(written: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(written)) as tar:
        assert tar.getnames()[:2] == ["manifest.json", "0000-gateway/tls/server.pem"]
        assert {member.mode for member in tar} == {0o600}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_one_is_damaged(written: bytes, tmp_path: Path, share: float) -> None:
    with pytest.raises(Damaged):
        read(written[: int(len(written) * share)], tmp_path)


def test_one_with_another_bit_is_damaged(written: bytes, tmp_path: Path) -> None:
    for position in range(20, len(written), len(written) // 40):
        with pytest.raises((Damaged, Foreign)):
            read(written[:position] + bytes([written[position] ^ 4]) + written[position + 1 :], tmp_path)


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for about, content in members:
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return gzip.compress(raw.getvalue())


def about(name: str, kind: bytes = tarfile.REGTYPE, **more: Any) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type = kind
    for key, value in more.items():
        setattr(found, key, value)
    return found


CONTENT = b"content"
FILE = manifest.File("tls/x", len(CONTENT), "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73")
GOOD = Manifest("2026-11-30T00:00:00Z", [Part("gateway", "gate", "/opt/g", [FILE])])
FIRST = (about("manifest.json"), GOOD.dump())
NAME = "0000-gateway/tls/x"


def test_one_that_is_made_by_hand_is_read(tmp_path: Path) -> None:
    assert read(packed(FIRST, (about(NAME), CONTENT)), tmp_path)[0] == GOOD


@pytest.mark.parametrize(
    "members",
    [
        [],
        [(about(NAME), b"CONTENT")],
        [(about("0000-gateway/../../x"), CONTENT)],
        [(about("/" + NAME), CONTENT)],
        [(about(NAME, tarfile.SYMTYPE, linkname="/etc/passwd"), b"")],
        [(about(NAME, tarfile.LNKTYPE, linkname="manifest.json"), b"")],
        [(about(NAME, tarfile.CHRTYPE), b"")],
        [(about(NAME, tarfile.FIFOTYPE), b"")],
        [(about(NAME, tarfile.DIRTYPE), b"")],
        [(about(NAME), CONTENT + b"longer")],
        [(about(NAME), CONTENT), (about(NAME), CONTENT)],
        [(about(NAME), CONTENT), (about("more"), b"x")],
        [(about(NAME, pax_headers={"comment": "x" * (2 << 20)}), CONTENT)],
        [(about(NAME, pax_headers={"GNU.sparse.map": "0,7", "GNU.sparse.size": "7"}), CONTENT)],
    ],
)
def test_files_that_are_not_those_of_the_manifest_are_refused(members: list[Any], tmp_path: Path) -> None:
    with pytest.raises(Damaged):
        read(packed(FIRST, *members), tmp_path)


def test_what_unpacks_to_far_more_fills_nothing(tmp_path: Path) -> None:
    bombs = [
        gzip.compress(b"\0" * (80 << 20), 1),
        packed(FIRST, (about(NAME), CONTENT)) + gzip.compress(b"\0" * (2 << 20), 1),
        packed((about("manifest.json"), b" " * (65 << 20))),
    ]
    for bomb in bombs:
        with pytest.raises((Damaged, Foreign)):
            read(bomb, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b"text"),
        gzip.compress(b""),
        packed((about("other"), b"x")),
        packed((about("manifest.json", tarfile.SYMTYPE, linkname="/etc/passwd"), b"")),
        packed((about("manifest.json"), json.dumps({"a": 1}).encode())),
    ],
    ids=["text", "nothing", "other", "link", "json"],
)
def test_what_somebody_else_packed_is_foreign(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(Foreign):
        read(content, tmp_path)
