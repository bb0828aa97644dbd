#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: folder_files
short_description: Make a folder hold these files, and if wanted no others
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Writes the files that differ, each by renaming, and removes all others unless O(purge) is V(false), so that nothing
    of an older version stays behind.
  - One task, and one round trip, for any number of files.
  - What is too much goes before something new comes.
extends_documentation_fragment:
  - ansible.builtin.files
options:
  path:
    description:
      - Absolute path of the folder on the host, not right below the root, and no link unless O(purge) is V(false). It
        is made where it is missing, with its parents.
    type: path
    required: true
  files:
    description:
      - The content of each file by its path below O(path), with slashes. Folders are made as needed. It or O(folders)
        is needed.
    type: dict
  folders:
    description:
      - Several folders below O(path) by their paths, where the rest of O(path) is somebody else's. Each is a
        dictionary as O(files) is, or the path of a folder on the controller, all files of which are to be there, as
        text in UTF-8. A relative path is looked for as M(ansible.builtin.copy) looks for it, in C(files) of the role.
    type: dict
  purge:
    description: Whether what else is in the folder goes.
    type: bool
    default: true
  recurse:
    description:
      - Those of O(folders) in which the files that stay get owner, group and mode as well. Links are left alone.
    type: list
    elements: str
    default: []
  writable:
    description: Those of O(folders) that O(group) may write to as well, though not the files in them.
    type: list
    elements: str
    default: []
  mode:
    description: Mode of folders and files, in the symbolic form that tells the two apart, such as V(u=rwX,g=rX,o=).
    type: raw
attributes:
  check_mode:
    description: Reports what would happen and changes nothing.
    support: full
  diff_mode:
    description:
      - Shows how many files come, go and change, and their names, several in a line. If the verbosity is 1 or more,
        each name has a line, and the content is shown as well. Secrets do not belong here.
    support: full
  idempotent:
    description: Does nothing where the files are as asked for.
    support: full
seealso:
  - module: gatehouse.ollama.client_rights
  - module: ansible.builtin.copy
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Find out what clients may do
  gatehouse.ollama.client_rights:
    path: /opt/gatehouse/gateway/clients/clients.json
    clients: [{name: alice}]
  register: rights

- name: Tell nginx
  gatehouse.ollama.folder_files:
    path: /opt/gatehouse/gateway/clients/scopes
    files: "{{ rights.files }}"
    mode: u=rwX,g=rX,o=
"""

RETURN = r"""
added:
  description: Files that were not there, below O(path).
  returned: success
  type: list
  elements: str
  sample: [inference/alice]
updated:
  description: Files that had another content.
  returned: success
  type: list
  elements: str
  sample: []
removed:
  description: Files that are gone.
  returned: success
  type: list
  elements: str
  sample: [models_write/bob]
"""

import os
import re
import textwrap
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.replace import replace

_WIDTH = 110
# A star alone is a name, too: that of whoever is not named.
_PART = r"(\*|(?![.])[\w.-]+)"
# Absolute, in its shortest form, and not right below the root.
_FOLDER = re.compile(r"(/(?!\.\.?(/|\Z))[^/]+){2,}\Z")
_PATH = re.compile(_PART + "(/" + _PART + r")*\Z", re.ASCII)


def problem(path: str, files: t.Any) -> str | None:
    """What makes these no files with a content, or no folder to put them into, if so."""
    if not _FOLDER.match(path) or os.path.islink(path):
        return "path: %s is not a folder of its own, below another one and no link" % path
    if not isinstance(files, dict):
        return "folders: %s must be a dictionary of files, or a folder of the controller" % path
    for name, content in files.items():
        if not isinstance(name, str) or not _PATH.match(name):
            return "files: %s is no path of letters, digits, dots, dashes and slashes below the folder" % (name,)
        if not isinstance(content, str):
            return "files: the content of %s must be a text" % name
    both = sorted(folders_of(files) & set(files))
    return "files: %s cannot be a file and a folder" % both[0] if both else None


def there_below(path: str, wanted: t.Container[str]) -> tuple[dict[str, bytes | None], set[str]]:
    """The files below the folder, and the folders.

    Of wanted files the content; None for others, and for what is no regular file.
    """
    files: dict[str, bytes | None] = {}
    folders = set()
    for above, inner, names in _walk(path):
        links = [name for name in inner if os.path.islink(os.path.join(above, name))]
        folders |= {os.path.relpath(os.path.join(above, name), path) for name in inner if name not in links}
        for name in names + links:
            file = os.path.join(above, name)
            below = os.path.relpath(file, path)
            files[below] = _content(file) if below in wanted else None
    return files, folders


def there_of(path: str, wanted: t.Iterable[str]) -> dict[str, bytes | None]:
    """Those of the wanted files that are there, whatever else is; None for what is no regular file."""
    files = {name: os.path.join(path, name) for name in wanted}
    return {name: _content(file) for name, file in files.items() if os.path.lexists(file)}


def _content(file: str) -> bytes | None:
    return Path(file).read_bytes() if _is_regular(file) else None


def _is_regular(file: str) -> bool:
    return os.path.isfile(file) and not os.path.islink(file)


def _walk(path: str) -> t.Iterator[tuple[str, list[str], list[str]]]:
    """As os.walk, but a folder that cannot be read is an error, and none at all is empty."""

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    return os.walk(path, onerror=fail)


def folders_of(files: t.Iterable[str]) -> set[str]:
    """The folders that these files are in, with those above."""
    found = set()
    for file in files:
        folder = os.path.dirname(file)
        while folder:
            found.add(folder)
            folder = os.path.dirname(folder)
    return found


def diffs(
    path: str, there: dict[str, bytes | None], wanted: dict[str, bytes], whole: bool = False
) -> list[dict[str, str]]:
    """The names of the files that come, go and change, then, if `whole`, what changes in each."""
    found = []
    if there != wanted:
        same = [name for name in wanted if there.get(name) == wanted[name]]
        marked = ["%s (changed)" % name if name in there else name for name in sorted(wanted) if name not in same]
        before, after = _listed([name for name in sorted(there) if name not in same], whole), _listed(marked, whole)
        found.append({"before": before, "after": after, "before_header": path, "after_header": path})
    for name in sorted(wanted) if whole else ():
        content = there.get(name) or b""
        if content != wanted[name]:
            file = os.path.join(path, name)
            sides = {"before": content.decode("utf-8", "replace"), "after": wanted[name].decode("utf-8")}
            found.append({**sides, "before_header": file, "after_header": file})
    return found


def _listed(names: list[str], whole: bool) -> str:
    """The names, each in a line or, those of a folder together, as many as go into one."""
    if whole or not names:
        return "".join("%s\n" % name for name in names)
    folders: dict[str, list[str]] = {}
    for name in names:
        folders.setdefault(os.path.dirname(name), []).append(os.path.basename(name))
    parts = []
    for folder, members in folders.items():
        one = ", ".join(members)
        parts.append(os.path.join(folder, "{%s}" % one if folder and len(members) > 1 else one))
    count = "%d file%s: " % (len(names), "" if len(names) == 1 else "s")
    return textwrap.fill(count + ", ".join(parts), _WIDTH, break_long_words=False, break_on_hyphens=False) + "\n"


def _together(path: str, parts: dict[str, list[dict[str, str]]]) -> list[dict[str, str]]:
    """The names in all of several folders as one difference, each line with the folder's name before it."""
    sides = {
        side: "".join("%s, %s" % (name, one[side]) for name, ones in parts.items() for one in ones if one[side])
        for side in ("before", "after")
    }
    return [{**sides, "before_header": path, "after_header": path}] if any(sides.values()) else []


def regular_files(path: str) -> list[str]:
    found = [os.path.join(above, name) for above, _folders, names in _walk(path) for name in names]
    return sorted(filter(_is_regular, found))


def write(module: AnsibleModule, path: str, files: dict[str, bytes]) -> None:
    os.makedirs(path, mode=0o750, exist_ok=True)
    for name, content in files.items():
        file = os.path.join(path, name)
        os.makedirs(os.path.dirname(file), mode=0o750, exist_ok=True)
        replace(module, file, content)


def set_attributes(module: AnsibleModule, path: str, names: t.Iterable[str], is_writable: bool) -> bool:
    """Give folders and files their owner, group and mode; tell whether that changed something."""
    changed = False
    for item in [path, *(os.path.join(path, name) for name in names)]:
        if os.path.exists(item):
            arguments = module.load_file_common_arguments(module.params, path=item)
            if is_writable and item == path:
                arguments["mode"] = "%s,g+w" % arguments["mode"]
            changed = module.set_fs_attributes_if_different(arguments, changed)
    return changed


class UnloggedModule(AnsibleModule):
    """The host's own log has no need of all these texts."""

    def _log_invocation(self) -> None:
        pass


class Change(t.NamedTuple):
    """What comes, changes and goes in a folder."""

    changed: bool
    added: list[str]
    updated: list[str]
    removed: list[str]
    diff: list[dict[str, str]]


def change(module: AnsibleModule, path: str, files: dict[str, str], recurse: bool, is_writable: bool) -> Change:
    """Make the folder hold these files and no others. Raises OSError."""
    wanted = {name: content.encode("utf-8") for name, content in files.items()}
    folders = folders_of(wanted)
    there, folders_there = there_below(path, wanted) if module.params["purge"] else (there_of(path, wanted), set())
    removed = sorted(name for name in there if name not in wanted)
    gone = sorted(folders_there - folders, reverse=True)
    differ = {name: content for name, content in sorted(wanted.items()) if there.get(name) != content}
    changed = bool(removed or gone or differ) or not os.path.isdir(path)
    if changed and not module.check_mode:
        for name in removed:
            os.unlink(os.path.join(path, name))
        for name in gone:
            os.rmdir(os.path.join(path, name))
        write(module, path, differ)
    names = [*sorted(folders), *(regular_files(path) if recurse else sorted(wanted))]
    changed |= set_attributes(module, path, names, is_writable)
    added = [name for name in differ if name not in there]
    updated = [name for name in differ if name in there]
    diff = diffs(path, there, wanted, whole=module._verbosity > 0) if module._diff else []
    return Change(changed, added, updated, removed, diff)


def main() -> None:
    options = {
        "path": {"type": "path", "required": True},
        "files": {"type": "dict"},
        # Those of the controller are read there, by the action of the same name.
        "folders": {"type": "dict"},
        "purge": {"type": "bool", "default": True},
        "recurse": {"type": "list", "elements": "str", "default": []},
        "writable": {"type": "list", "elements": "str", "default": []},
    }
    module = UnloggedModule(
        argument_spec=options,
        add_file_common_args=True,
        required_one_of=[("files", "folders")],
        mutually_exclusive=[("files", "folders")],
        supports_check_mode=True,
    )
    path, files = module.params["path"], module.params["files"]
    if not module.params["purge"]:
        # Nothing is removed behind a link.
        path = os.path.realpath(path)
    several: dict[str, t.Any] = {"": files} if files is not None else module.params["folders"]
    below = {name: os.path.join(path, name) if name else path for name in several}
    for name, one in several.items():
        if files is None and not _PATH.match(str(name)):
            module.fail_json(msg="folders: %s is no path of a folder" % name)
        wrong = problem(below[name], one)
        if wrong:
            module.fail_json(msg=wrong)
    try:
        recurse, writable = module.params["recurse"], module.params["writable"]
        changes = {
            name: change(module, below[name], one, name in recurse, name in writable) for name, one in several.items()
        }
    except OSError as error:
        module.fail_json(msg="path: %s cannot be read or written: %s" % (error.filename or path, error.strerror))

    def named(what: str) -> list[str]:
        return [os.path.join(name, file) for name, one in changes.items() for file in getattr(one, what)]

    diff = [part for one in changes.values() for part in one.diff]
    if files is None and module._verbosity == 0:
        diff = _together(path, {name: one.diff for name, one in changes.items()})
    module.exit_json(
        changed=any(one.changed for one in changes.values()),
        **{what: named(what) for what in ("added", "updated", "removed")},
        **({"diff": diff} if module._diff else {}),
    )


if __name__ == "__main__":
    main()
