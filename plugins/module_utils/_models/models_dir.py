# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of the user's for models, in the place of a Docker volume: what it may be, and who may write to it.

In the folder are `blobs`, `manifests` and the pair of keys by which a server is known at ollama.com. What else is in it
is the user's.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._files import links
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import names as model_names

EXAMPLE = "/srv/ollama-models"
VARIABLE = "ollama_server_models_dir"
# By them a server is known at ollama.com; the first is secret.
KEYS = {"id_ed25519": 0o600, "id_ed25519.pub": 0o644}

# Colons and dollar signs mean something to Docker and Compose.
_FORM = re.compile(r"(/[^/:$\x00-\x1f\x7f]+)+\Z")
# Nobody's to give away as they are, though something below them may be.
_SHARED = re.compile(
    r"/(home(/[^/]+)?|lost\+found|media|mnt|opt|run(/media)?|srv|tmp|usr(/local|/share)?|var(/lib|/tmp)?)\Z"
)
# With all that is below them.
_SYSTEM = re.compile(
    r"/(bin|boot|dev|etc|lib\w*|proc|root|run(?!/media/)|sbin|sys|usr/(local/)?(bin|etc|lib\w*|sbin)"
    r"|var/(backups|lock|log|mail|run|spool)|var/lib/(apt|containerd|containers|docker|dpkg|rpm|systemd)"
    r"|(.+/)?\.(gnupg|ssh))(/|\Z)"
)
# Where the roles have what they write, if nobody says otherwise.
_OURS = "/opt/gatehouse"
_OUR_PROJECT = re.compile(rb"^name: [\"']?gatehouse-", re.MULTILINE)
_BLOB = re.compile(r"\.?sha256-[0-9a-f]{64}(\Z|[-.])")
# What Ollama's command leaves behind.
_HISTORY = "history"
_MOST_BYTES = 1 << 20


def path_problem(path: str, project_dir: str) -> str | None:
    """What the variable must be instead; None if it is sound, as far as its text tells."""
    if not _FORM.match(path) or os.path.normpath(path) != path:
        return f"the absolute path of a folder, without a colon, a dollar sign or .., such as {EXAMPLE}, or empty"
    if _SHARED.match(path) or _SYSTEM.match(path):
        return f"a folder of its own, such as {EXAMPLE}: {path} belongs to the system"
    if f"{project_dir}/".startswith(f"{path}/") or path.startswith(f"{project_dir}/"):
        return f"apart from ollama_server_dir, which is {project_dir}, such as {EXAMPLE}"
    if path == _OURS or path.startswith(f"{_OURS}/"):
        return f"apart from what the roles have in {_OURS}, such as {EXAMPLE}"
    return None


def refuse_links(path: str) -> None:
    """Raise GatehouseError where a link is on the way: who made it could have root give any folder away."""
    link = links.first_link(path)
    if link:
        raise GatehouseError(
            f"{VARIABLE}: {path}: {link} is a link, and none is followed. If the folder that it leads to is the one, "
            f"name that: {os.path.realpath(path)}"
        )


def _project_around(path: str) -> str:
    """The folder of a project of the roles that a path is, or is in; empty if there is none."""
    while path != "/":
        with contextlib.suppress(OSError):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with open(os.open(os.path.join(path, "compose.yaml"), flags), "rb") as file:
                if _OUR_PROJECT.search(file.read(_MOST_BYTES)):
                    return path
        path = os.path.dirname(path)
    return ""


def refuse(path: str, project_dir: str, user_id: int) -> None:
    """Raise GatehouseError unless the folder is there, or can be made, and the user may write there."""
    problem = path_problem(path, os.path.realpath(project_dir))
    if problem:
        raise GatehouseError(f"{VARIABLE} must be {problem}")
    refuse_links(path)
    around = _project_around(path)
    if around:
        raise GatehouseError(f"{VARIABLE} must be apart from {around}, where a role has what it wrote: {path}")
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except FileNotFoundError:
        is_folder = None
    except OSError as error:
        raise GatehouseError(f"{VARIABLE}: {path}: {error.strerror}") from None
    if is_folder is False:
        raise GatehouseError(f"{VARIABLE}: {path} is no folder; name one, or one that can be made")
    place = path if is_folder else os.path.dirname(path)
    if not os.path.isdir(place):
        raise GatehouseError(f"{VARIABLE}: {path} cannot be made, for {place} is not there; is its disk mounted?")
    # Root may give it to the user, unless root is nobody there.
    if not (os.access(place, os.W_OK | os.X_OK) or may_write(place, user_id)):
        raise GatehouseError(
            f"{VARIABLE}: neither root nor user {user_id} (ollama_server_user_id) may write to {place}. On the server "
            f"of an NFS share with root_squash, run `chown {user_id}:{user_id}` on that folder; a share that is "
            "mounted read-only must be mounted for writing"
        )


def may_write(folder: str, user_id: int) -> bool:
    """Whether the user with this number, and the group with the same, may write to a folder, once in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        child = os.fork()
        if child == 0:
            os._exit(_try_to_write(descriptor, user_id))
        return os.waitpid(child, 0)[1] == 0
    finally:
        os.close(descriptor)


def _try_to_write(descriptor: int, user_id: int) -> int:
    """In a process of its own, which the rights are taken from: 0 if it may write."""
    with contextlib.suppress(OSError):
        os.fchdir(descriptor)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(user_id)
            os.setuid(user_id)
        return 0 if os.access(".", os.W_OK | os.X_OK) else 1
    return 1


@contextlib.contextmanager
def who_may_write(folder: str, user_id: int) -> t.Iterator[None]:
    """Be root in there, or the user where root is nobody, as on NFS with root_squash."""
    if os.geteuid() != 0 or os.access(folder, os.W_OK | os.X_OK):
        yield
        return
    os.setegid(user_id)
    os.seteuid(user_id)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def make(path: str, user_id: int) -> bool:
    """Make the folder if it is not there, and tell whether it was not. Raises GatehouseError."""
    if os.path.isdir(path):
        return False
    above, name = os.path.split(path)
    try:
        with who_may_write(above, user_id), links.opened(above) as folder:
            os.mkdir(name, 0o755, dir_fd=folder)
            if os.geteuid() == 0:
                os.chown(name, user_id, user_id, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        raise GatehouseError(f"{VARIABLE}: {path} cannot be made: {error.strerror}") from None
    return True


def belongings(path: str) -> list[str]:
    """What a server keeps in the folder, each by its path. What is not Ollama's is left out; no link is followed."""
    found = [os.path.join(path, name) for name in (*KEYS, _HISTORY) if os.path.isfile(os.path.join(path, name))]
    found += [one.path for one in _listed(os.path.join(path, "blobs")) if _BLOB.match(one.name)]
    return found + list(_manifests(os.path.join(path, "manifests")))


def _manifests(path: str, above: tuple[str, ...] = ()) -> t.Iterator[str]:
    for one in _listed(path):
        if len(above) < 3 and one.is_dir(follow_symlinks=False):
            yield from _manifests(one.path, (*above, one.name))
        elif len(above) == 3 and not one.is_dir(follow_symlinks=False) and _is_model(*above, one.name):
            yield one.path


def _is_model(host: str, namespace: str, model: str, tag: str) -> bool:
    """Whether this is a model, or was left by a copy of one that was broken off."""
    return model_names.parse(f"{host}/{namespace}/{model}:{tag.lstrip('.')}") is not None


def _listed(path: str) -> list[os.DirEntry[str]]:
    if os.path.islink(path):
        return []
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda one: one.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def empty(path: str, user_id: int) -> None:
    """Remove what a server keeps in the folder, and folders of it that are empty then. Raises GatehouseError."""
    try:
        # By the open folder, whoever puts a link into its place meanwhile.
        with who_may_write(path, user_id), links.opened(path) as folder:
            for one in belongings(path):
                below, name = os.path.split(os.path.relpath(one, path))
                with links.opened(below, folder) as parent:
                    os.unlink(name, dir_fd=parent)
            for name in ("blobs", "manifests"):
                _remove_empty(name, folder)
    except OSError as error:
        raise GatehouseError(f"{VARIABLE}: {error.filename} cannot be removed: {error.strerror}") from None


def _remove_empty(name: str, parent: int) -> None:
    # What is no folder, or has something in it, stays.
    with contextlib.suppress(OSError):
        with links.opened(name, parent) as folder:
            for one in os.listdir(folder):
                _remove_empty(one, folder)
        os.rmdir(name, dir_fd=parent)
