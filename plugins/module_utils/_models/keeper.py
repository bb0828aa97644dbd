# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a server have the models that are wanted, one after another: a server downloads the layers of one at a time.

One that fails hides no other: all are tried, and each keeps its own error.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import time
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import (
    GatehouseError,
    ServerError,
    ServerUnreachable,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import progress
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import recipe as model_recipe
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.client import Client
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.made import Made
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.names import Key, Name, key_of, parse
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import Recipe, Wanted, ordered
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.pull import RETRIES, Host, Meter, follow, pull
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.recipe import Look
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.registry import Registries

Dict = t.Dict[str, t.Any]

ADDED, UPDATED, REMOVED, UNCHANGED, UNKNOWN = "added", "updated", "removed", "unchanged", "unknown"
_BLOCK = 1 << 20
_SHORT = 12
# A model that is to stay for good expires in some centuries.
_FOR_GOOD_YEARS = 50


@dataclass
class Result:
    """What became of a model, or would become of it. `before` and `after` are lines for a diff."""

    name: str
    change: str = UNCHANGED
    old: str = ""
    digest: str = ""
    loaded: bool = False
    error: str = ""
    before: t.List[str] = field(default_factory=list)
    after: t.List[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return self.change in (ADDED, UPDATED, REMOVED) or self.loaded


class Keeper:
    """Keeps the models of one server. Without a client there is no server yet, and all is to be done."""

    def __init__(
        self,
        client: Client | None,
        host: Host,
        check: bool,
        retries: int = RETRIES,
        made: Made | None = None,
    ) -> None:
        self.client: t.Any = client
        self._host = host
        self._check = check
        self._retries = retries
        self._registries = Registries()
        self._made = made or Made()
        self._installed: t.Dict[Key, Dict] = {}
        # What would be another one by then, in check mode.
        self._moved: t.Set[Key] = set()
        self._list()

    def keep(self, wanted: t.Sequence[Wanted], purge: bool = False) -> t.List[Result]:
        """The results, in the order in which the models were taken."""
        results: t.List[Result] = []
        gone = ""
        for one in ordered(wanted):
            result = Result(one.name.short, old=self._digest(one.name), digest=self._digest(one.name))
            results.append(result)
            if gone:
                result.error = f"not tried: {gone}"
                continue
            try:
                self._keep(one, result)
                if one.keep_alive is not None and one.state != "absent":
                    self._load(one, result)
            except (GatehouseError, OSError) as error:
                result.error = _words(error)
                if result.digest == result.old:
                    result.change = UNCHANGED
                gone = self._gone() if isinstance(error, ServerUnreachable) else ""
        # What was there stays until all that should be there is.
        if purge and not any(one.error for one in results):
            results += self._purge(wanted)
        return results

    def _keep(self, one: Wanted, result: Result) -> None:
        if one.state == "absent":
            self._remove(one.name, result)
        elif one.source is not None:
            self._copy(one, one.source, result)
        elif one.recipe is not None:
            self._make(one, one.recipe, result)
        else:
            self._download(one, result)
        if result.change in (ADDED, UPDATED):
            self._moved.add(one.name.key)

    def _download(self, one: Wanted, result: Result) -> None:
        have = result.old
        there: t.Optional[t.Set[str]] = None
        if have and one.state == "present" and (one.digest is None or have.startswith(one.digest)):
            return
        if have and one.state == "latest":
            there = self._registries.digests(one.name, one.insecure)
            if there is not None and have in there:
                return
            if there is None and self._check:
                result.change = UNKNOWN
                return
        expected = one.digest or next(iter(there or ()), "")
        self._differs(result, expected[:_SHORT] or "what the registry has")
        if self._check:
            return
        started = self._host.clock()
        pull(self.client, one.name, self._host, one.insecure, self._retries)
        self._changed(one.name, result)
        if one.digest is not None and not result.digest.startswith(one.digest):
            raise GatehouseError(
                f"digest: its registry has {result.digest[:_SHORT]} under this name, and not {one.digest[:_SHORT]}, "
                "which is pinned. That was downloaded; pin it, or name the tag that you mean"
            )
        if result.changed:
            seconds = self._host.clock() - started
            amount = progress.size(self._installed[one.name.key].get("size") or 0)
            self._host.notes.event("%s: downloaded, %s in %d s" % (one.name.short, amount, seconds))

    def _copy(self, one: Wanted, source: Name, result: Result) -> None:
        there = self._base(source)
        if result.old and result.old == there and source.key not in self._moved:
            return
        self._differs(result, there[:_SHORT] or f"that of {source.short}")
        if not self._check:
            self.client.copy(self._spelled(source), self._spelled(one.name))
            self._changed(one.name, result)

    def _make(self, one: Wanted, recipe: Recipe, result: Result) -> None:
        files = self._files(recipe)
        base = recipe.base
        unknown = base is not None and (not self._base(base) or (self._check and base.key in self._moved))
        current = self._look(one.name) if result.old else None
        weights = frozenset(files.values())
        if current is not None and files and self._made.of(weights, current.weights):
            current = replace(current, weights=weights)
        if base is not None and unknown:
            result.after = [f"made anew from {base.short}"]
        else:
            wanted = model_recipe.wanted(recipe, self._look(base) if base else None, weights, current)
            if current == wanted:
                return
            result.after = wanted.lines()
        result.before = current.lines() if current else []
        result.change = UPDATED if result.old else ADDED
        if self._check:
            return
        self._upload(files)
        names = {os.path.basename(path): "sha256:" + digest for path, digest in files.items()}
        stream = self.client.create(self._spelled(one.name), model_recipe.request(recipe, names))
        follow(stream, Meter(), one.name.short, self._host, self.client.timeout)
        self._changed(one.name, result)
        if files:
            self._made.note(weights, self._look(one.name).weights)
        if result.changed:
            self._host.notes.event(f"{one.name.short}: made")

    def _base(self, name: Name) -> str:
        """The digest of a model that another one needs; it is downloaded if it is missing. Empty in check mode then."""
        if not self._digest(name) and not self._check:
            pull(self.client, name, self._host, retries=self._retries)
            self._list()
        return self._digest(name)

    def _files(self, recipe: Recipe) -> t.Dict[str, str]:
        """The digests of the files, by path. Raises GatehouseError."""
        found = {}
        for path in recipe.files:
            try:
                found[path] = self._digest_of_file(path)
            except OSError as error:
                raise GatehouseError(f"files: {path} cannot be read: {error.strerror}") from None
        return found

    def _digest_of_file(self, path: str) -> str:
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            total = os.fstat(file.fileno()).st_size
            done = 0
            for block in iter(lambda: file.read(_BLOCK), b""):
                if not done and not block.startswith(b"GGUF"):
                    raise GatehouseError(f"files: {path} is no GGUF file; convert it to one first")
                digest.update(block)
                done += len(block)
                self._note(path, "read", total, done)
            if not done:
                raise GatehouseError(f"files: {path} is empty")
        return digest.hexdigest()

    def _upload(self, files: t.Mapping[str, str]) -> None:
        for path, hexadecimal in files.items():
            digest = "sha256:" + hexadecimal
            if not self.client.head_blob(digest):
                total = os.stat(path).st_size
                self.client.upload_blob(digest, path, functools.partial(self._note, path, "sent", total))

    def _note(self, path: str, what: str, total: int, done: int) -> None:
        self._host.notes.now(f"{path}: {what}, {100 * done // total} % of {progress.size(total)}")

    def _remove(self, name: Name, result: Result) -> None:
        if not result.old:
            return
        if not self._check:
            self.client.delete(self._spelled(name))
        result.change, result.digest = REMOVED, ""
        result.before = [f"digest: {result.old[:_SHORT]}"]
        self._installed.pop(name.key, None)

    def _purge(self, wanted: t.Sequence[Wanted]) -> t.List[Result]:
        """Remove the rest, but for what a wanted model is made from: it would be downloaded again to compare with."""
        needed = {one.name.key for one in wanted} | {one.base.key for one in wanted if one.base is not None}
        results = []
        for key, entry in sorted(self._installed.items()):
            name = parse(str(entry["name"]))
            if key in needed or name is None:
                continue
            result = Result(name.short, old=self._digest(name))
            results.append(result)
            try:
                self._remove(name, result)
            except GatehouseError as error:
                result.error = _words(error)
        return results

    def _load(self, one: Wanted, result: Result) -> None:
        running = {} if self.client is None else {_key(entry): entry for entry in self.client.ps()}
        entry = running.get(one.name.key)
        if entry is not None and entry.get("digest") not in (None, result.digest):
            entry = None
        if one.keep_alive == 0:
            right = entry is None
        else:
            right = entry is not None and (not for_good(one.keep_alive) or stays(str(entry.get("expires_at"))))
        if right and not (self._check and one.name.key in self._moved):
            return
        if not self._check and one.keep_alive is not None:
            self._host.notes.now(f"{one.name.short}: loading")
            self.client.load(self._spelled(one.name), one.keep_alive)
        result.loaded = True
        then = "for good" if for_good(one.keep_alive) else "no" if one.keep_alive == 0 else str(one.keep_alive)
        result.before.append("loaded: " + ("no" if entry is None else f"until {entry.get('expires_at')}"))
        result.after.append(f"loaded: {then}")

    def _look(self, name: Name) -> Look:
        return model_recipe.look(self.client.show(self._spelled(name)))

    def _differs(self, result: Result, after: str) -> None:
        result.change = UPDATED if result.old else ADDED
        result.before = [f"digest: {result.old[:_SHORT]}"] if result.old else []
        result.after = [f"digest: {after}"]

    def _changed(self, name: Name, result: Result) -> None:
        """Look what became of the model."""
        self._list()
        result.digest = self._digest(name)
        if result.digest == result.old:
            result.change, result.before, result.after = UNCHANGED, [], []
        elif result.after and result.after[0].startswith("digest: "):
            result.after = [f"digest: {result.digest[:_SHORT]}"]

    def _list(self) -> None:
        if self.client is not None:
            self._installed = {_key(entry): entry for entry in self.client.tags()}

    def _digest(self, name: Name) -> str:
        return str(self._installed.get(name.key, {}).get("digest") or "")

    def _spelled(self, name: Name) -> str:
        """The name as the server has it, if it has it."""
        return str(self._installed.get(name.key, {}).get("name") or name.short)

    def _gone(self) -> str:
        """Why no other model needs to be tried; empty if the server is there."""
        try:
            self.client.version()
        except ServerError as error:
            return str(error)
        return ""


def free_space(folder: str | None) -> t.Callable[[], t.Optional[int]]:
    """Tells the bytes that are free where a folder is, or will be."""

    def free() -> t.Optional[int]:
        path = folder
        while path and not os.path.exists(path):
            path = os.path.dirname(path)
        try:
            return shutil.disk_usage(path).free if path else None
        except OSError:
            return None

    return free


def diff(results: t.Sequence[Result]) -> Dict:
    before, after = [], []
    for one in results:
        if not one.changed:
            continue
        if one.change != ADDED:
            before += [one.name, *("  " + line for line in one.before)]
        if one.change != REMOVED:
            after += [one.name, *("  " + line for line in one.after)]
    return {
        "before_header": "models",
        "after_header": "models",
        "before": "".join(line + "\n" for line in before),
        "after": "".join(line + "\n" for line in after),
    }


def _key(entry: Dict) -> Key:
    return key_of(str(entry.get("name") or entry.get("model") or ""))


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return str(error)


def for_good(keep_alive: t.Union[int, str, None]) -> bool:
    return str(keep_alive).startswith("-")


def stays(expires: str) -> bool:
    year = expires.partition("-")[0]
    return year.isdecimal() and int(year) > time.gmtime().tm_year + _FOR_GOOD_YEARS
