# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import datetime
import itertools
import os
import typing as t
import zlib

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup import controller
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.manifest import CA, MOST_CONTENT, SECRETS, Part
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.names import read_trees, tree_of
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError, HostFileError, Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage import days
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import Dict, plain
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._backup import PART_ARGUMENTS, PartAction, store

# Bytes that a host sends at once: it comes as JSON, several times as much in memory.
_BATCH = 8 << 20

Piece = t.Tuple[str, int, int]


def batches(files: t.Mapping[str, int], most: int = _BATCH) -> t.Iterator[list[Piece]]:
    """All bytes of all files, in their order, as pieces that make up no more than so many bytes a batch."""
    batch: list[Piece] = []
    room = most
    for path, size in files.items():
        offset = 0
        while offset < size:
            length = min(room, size - offset)
            batch.append((path, offset, length))
            offset, room = offset + length, room - length
            if not room:
                yield batch
                batch, room = [], most
    if batch:
        yield batch


class ActionModule(PartAction):
    MODULE = "gatehouse.ollama.backup_part"
    ARGUMENTS: t.ClassVar[Dict] = {
        **PART_ARGUMENTS,
        "notes": {"type": "dict", "default": {}},
        "usage_since": {"type": "str", "default": ""},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        self._task_vars = task_vars
        self._where = {"folder": arguments["folder"], "trees": arguments["trees"]}
        looked = self._ask()
        found = {str(path): int(size) for path, size in looked.get("files", {}).items()}
        files = _since(found, arguments["trees"], arguments["usage_since"])
        size = sum(files.values())
        if size > MOST_CONTENT:
            raise HostFileError(
                f"{arguments['folder']} has {size >> 30} GiB for the backup, and {MOST_CONTENT >> 30} GiB is the most; "
                f"the longest file is {max(files, key=lambda path: files[path])}"
            )
        left_out = [str(one) for one in looked.get("left_out", [])]
        part = Part(arguments["kind"], arguments["host"], arguments["folder"], notes=plain(arguments["notes"]))
        folders = {kind: arguments[f"{kind}_dir"] for kind in (SECRETS, CA) if arguments[f"{kind}_dir"]}
        result: Dict = {"changed": False, "files": files, "left_out": left_out}
        if left_out:
            text = "not in the backup, for the service writes no files of such names: %s"
            result["warnings"] = [text % ", ".join(left_out)]
        if self._task.check_mode:
            return result
        try:
            for kind, folder in folders.items():
                self._keep(kind, folder)
                part.uses[kind] = folder
            with store().part(part) as writer:
                blocks = self._blocks(files)
                for path, size in files.items():
                    writer.add(path, _first(blocks, size))
        except OSError as error:
            where = error.filename or "the temporary folder of Ansible"
            raise GatehouseError(f"{where} on the controller: {error.strerror}") from None
        return result

    def _keep(self, kind: str, folder: str) -> None:
        with store().part(Part(kind, "", folder)) as writer:
            for name, content in controller.contents(folder, kind).items():
                writer.add(name, [content])

    def _blocks(self, files: t.Mapping[str, int]) -> t.Iterator[bytes]:
        """The pieces of all files, in their order."""
        for batch in batches(files):
            pieces = [{"path": path, "offset": offset, "length": length} for path, offset, length in batch]
            answer = self._ask(pieces=pieces)
            try:
                content = zlib.decompressobj().decompress(base64.b64decode(answer["content"]), _BATCH + 1)
            except (KeyError, TypeError, ValueError, zlib.error):
                content = b""
            if len(content) != sum(length for _path, _offset, length in batch):
                raise HostFileError("the host does not say what is in its files")
            ends = [0, *itertools.accumulate(length for _path, _offset, length in batch)]
            yield from (content[start:end] for start, end in itertools.pairwise(ends))


def _since(files: dict[str, int], given: t.Iterable[Dict], since: str) -> dict[str, int]:
    """Without those of the ledger that are of days before."""
    problems = Problems()
    wanted = days.read(
        since, "", datetime.datetime.now(datetime.timezone.utc).date(), problems, "gatehouse_backup_usage_"
    )
    problems.raise_any()
    trees = read_trees(given)

    def stays(path: str) -> bool:
        tree = tree_of(trees, path)
        day = days.parse(os.path.basename(path)[:10]) if tree and tree.grows else None
        return day is None or wanted.have(day)

    return {path: size for path, size in files.items() if stays(path)}


def _first(blocks: t.Iterator[bytes], size: int) -> t.Iterator[bytes]:
    """So many bytes of blocks of which none belongs to two files."""
    left = size
    for block in blocks if left else ():
        left -= len(block)
        yield block
        if left <= 0:
            return
