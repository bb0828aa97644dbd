# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway before: the files that it ran with and its image, to go back to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import typing as t
from pathlib import Path

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# What a gateway is made of, below its folder. Not its clients and certificates: what was revoked since stays revoked.
FOLDERS = ("conf", "lua", "page")
DESCRIPTION = "compose.yaml"
NAME = "previous"
# What a way back leads to, until it has ended.
_ASIDE = NAME + ".back"
_LIST = "previous.json"


class NoPrevious(GatehouseError):
    """There is no gateway to go back to, or what was kept of it is not whole."""


class Previous(t.NamedTuple):
    image: str
    text: str


def files_below(folder: Path) -> list[str]:
    """The files that a gateway is made of, by their paths below its folder."""
    found = [DESCRIPTION] if (folder / DESCRIPTION).is_file() else []
    for one in FOLDERS:
        found += [path.relative_to(folder).as_posix() for path in (folder / one).rglob("*") if path.is_file()]
    return sorted(found)


def save(folder: str, image: str) -> None:
    """Keep what is there now as the gateway before. It is whole, or it is the one that was kept until now."""
    above = Path(folder)
    new, kept, old = (above / f"{NAME}{end}" for end in (".new", "", ".old"))
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir(mode=0o700)
    try:
        names = files_below(above)
        for name in names:
            _copy(above / name, new / name)
        digests = {name: _digest(new / name) for name in names}
        _write(new / _LIST, json.dumps({"image": image, "files": digests}, indent=1).encode())
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if kept.exists():
        kept.rename(old)
    new.rename(kept)
    shutil.rmtree(old, ignore_errors=True)


def where(folder: str) -> str:
    """The folder below it that a way back leads to: another one where a run was killed on it."""
    return _ASIDE if Path(folder, _ASIDE).exists() else NAME


def was_interrupted(folder: str) -> bool:
    return where(folder) != NAME


def forget_interrupted(folder: str) -> None:
    """A way back has ended, or another gateway is deployed than the one to which a killed run led."""
    aside, dead = Path(folder, _ASIDE), Path(folder, f"{_ASIDE}.new")
    shutil.rmtree(dead, ignore_errors=True)
    if aside.exists():
        # At once, so that what is half removed is not gone back to.
        aside.rename(dead)
        shutil.rmtree(dead, ignore_errors=True)


def read(folder: str) -> Previous:
    """What was kept, or what a way back led to that was interrupted. Raises NoPrevious."""
    kept = Path(folder, where(folder))
    old = Path(folder, NAME + ".old")
    if old.exists() and not kept.exists():
        # A run was killed between two renames.
        old.rename(kept)
    try:
        listed = json.loads((kept / _LIST).read_bytes())
        wrong = [name for name, digest in listed["files"].items() if _digest(kept / name) != digest]
        image, names = str(listed["image"]), set(listed["files"])
    except FileNotFoundError as error:
        if not kept.exists():
            raise NoPrevious(
                f"There is no gateway to go back to: {kept} is not there. A deploy that changes a running gateway "
                "keeps the one before"
            ) from None
        wrong, image, names = [str(error.filename)], "", set()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        wrong, image, names = [f"{_LIST} ({error})"], "", set()
    if wrong or names != set(files_below(kept)) or DESCRIPTION not in names:
        raise NoPrevious(
            f"{kept} does not hold what the gateway before was made of: "
            f"{', '.join(wrong) or 'files were added or removed'}. Nothing was changed; "
            "a deploy makes the gateway of the inventory"
        )
    return Previous(image, (kept / DESCRIPTION).read_text(encoding="utf-8"))


def authentication(folder: str, below: str = "") -> tuple[t.Any, t.Any]:
    """The engine of a gateway and what it accepts, of which the files of its clients depend. Raises OSError."""
    try:
        said = json.loads(Path(folder, below, "conf", "settings.json").read_bytes())
        return said.get("engine"), said.get("accepts")
    except (ValueError, AttributeError):
        return None, None


def swap(folder: str, image: str, text: str) -> None:
    """Go back, with `text` for a description, and keep what is there now, which runs `image`.

    Where a run is killed before `forget_interrupted`, the next one goes on.
    """
    kept, aside = Path(folder, NAME), Path(folder, _ASIDE)
    if not aside.exists():
        new = aside.with_name(f"{_ASIDE}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        try:
            for name in (*files_below(kept), _LIST):
                _copy(kept / name, new / name)
        except OSError:
            shutil.rmtree(new, ignore_errors=True)
            raise
        new.rename(aside)
    # Otherwise the one of now is kept already, and some of its files may be replaced.
    if not kept.exists() or _listed(kept) == _listed(aside):
        save(folder, image)
    put_back(folder, text, aside)


def _listed(kept: Path) -> bytes:
    return (kept / _LIST).read_bytes() if (kept / _LIST).is_file() else b""


def put_back(folder: str, text: str = "", kept: Path | None = None) -> None:
    """Make the kept files those of the gateway, each in one step, and the description last; `text` if it is another.

    Folders stay, for they are mounted: only what is in them is replaced.
    """
    above, kept = Path(folder), kept or Path(folder, NAME)
    names = files_below(kept)
    for name in sorted(names, key=lambda one: one == DESCRIPTION):
        content = text.encode() if text and name == DESCRIPTION else None
        _copy(kept / name, above / name, content)
    for name in set(files_below(above)) - set(names):
        (above / name).unlink()
    # Of a file: folders that were copied may be anybody's.
    readers = [path.stat().st_gid for path in (kept / "conf").glob("*") if path.is_file()]
    if readers:
        _give_to(above, readers[0])


def _give_to(folder: Path, user: int) -> None:
    """Have all that is not root's belong to the user of the gateway, and let it read the rest."""
    if not (folder / "clients").is_dir() or (folder / "clients").stat().st_gid == user:
        return
    for top in (folder / name for name in (*FOLDERS, "clients", "tls", "state")):
        for path in (top, *top.rglob("*")) if top.is_dir() else ():
            owner = -1 if path.lstat().st_uid == 0 else user
            os.chown(path, owner, user, follow_symlinks=False)


def _copy(source: Path | str, target: Path | str, content: bytes | None = None) -> None:
    """With owner, group and mode, and those of the folder that it is in."""
    source, target = Path(source), Path(target)
    if not target.parent.is_dir():
        target.parent.mkdir(parents=True)
        _take_attributes(source.parent, target.parent)
    new = target.with_name(f".{target.name}.new")
    try:
        _write(new, source.read_bytes() if content is None else content)
        _take_attributes(source, new)
        new.replace(target)
    finally:
        with contextlib.suppress(OSError):
            new.unlink()


def _take_attributes(source: Path, target: Path) -> None:
    there = source.stat()
    with contextlib.suppress(PermissionError):
        os.chown(target, there.st_uid, there.st_gid)
    target.chmod(there.st_mode & 0o7777)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
