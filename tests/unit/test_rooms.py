# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a helper lies, where its test lies, and what it may import."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UTILS = ROOT / "plugins" / "module_utils"
TESTS = ROOT / "tests" / "unit" / "plugins" / "module_utils"
PLUGINS = "ansible_collections.gatehouse.ollama.plugins."

# What each room imports of the others, all of which stand above it. Only the rooms in TOP are single files.
TOP = ["_errors"]
ARROWS = {
    "_errors": [],
    "_text": [],
    "_files": ["_errors"],
    "_host": ["_errors"],
    "_docker": ["_errors", "_files"],
    "_tls": ["_errors"],
    "_models": ["_docker", "_errors", "_files", "_text"],
    "_credentials": ["_errors", "_files", "_models", "_text", "_tls"],
    "_backup": ["_credentials", "_errors", "_models"],
    "_gpu": ["_errors", "_models"],
    "_usage": ["_errors", "_text"],
    "_rules": ["_credentials", "_errors", "_models", "_text", "_usage"],
    "_wall": ["_credentials", "_docker", "_errors", "_models", "_text", "_tls"],
    "_gateway": ["_docker", "_errors", "_wall"],
    "_adopt": ["_credentials", "_docker", "_errors", "_models"],
    "_valkey": ["_errors", "_wall"],
}


def modules(folder: Path) -> dict[str, Path]:
    """The modules below `folder` by their dotted names, without the empty files that make packages."""
    paths = sorted(path for path in folder.rglob("*.py") if path.name != "__init__.py")
    return {".".join(path.relative_to(folder).with_suffix("").parts): path for path in paths}


MODULES = modules(UTILS)


@cache
def imported(path: Path) -> set[str]:
    """All that a file imports, also inside functions, in full: `from a import b` may mean a module b or a name in a."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
    return found


def helpers(path: Path) -> set[str]:
    """The helpers that a file imports."""
    prefix = f"{PLUGINS}module_utils."
    names = {name.removeprefix(prefix) for name in imported(path) if name.startswith(prefix)}
    return {name if name in MODULES else name.rpartition(".")[0] for name in names}


def room(name: str) -> str:
    return name.partition(".")[0]


def test_every_helper_lies_in_one_of_the_rooms() -> None:
    assert {room(name) for name in MODULES} == set(ARROWS)
    assert [name for name in MODULES if "." not in name] == TOP


def test_every_room_and_every_folder_in_it_is_an_empty_package() -> None:
    for folder in {parent for path in MODULES.values() for parent in path.parents if UTILS in parent.parents}:
        assert (folder / "__init__.py").read_text() == ""


def test_a_test_of_a_helper_lies_where_the_helper_lies() -> None:
    mirrored = {".".join([*name.split(".")[:-1], "test_" + name.split(".")[-1].lstrip("_")]) for name in MODULES}
    assert sorted(set(modules(TESTS)) - mirrored) == []


def test_rooms_import_what_the_table_says_and_only_from_rooms_above_them() -> None:
    arrows: dict[str, set[str]] = {name: set() for name in ARROWS}
    for name, path in MODULES.items():
        arrows[room(name)] |= {room(other) for other in helpers(path)} - {room(name)}
    assert {name: sorted(others) for name, others in arrows.items()} == ARROWS
    order = list(ARROWS)
    for name, others in ARROWS.items():
        assert set(others) <= set(order[: order.index(name)])


def test_no_helper_imports_itself_by_way_of_others() -> None:
    """Nor do two files of one room import each other."""
    left = {name: helpers(path) for name, path in MODULES.items()}
    while left:
        free = [name for name, others in left.items() if not others & set(left)]
        assert free, sorted(left)
        left = {name: others for name, others in left.items() if name not in free}


def test_a_helper_imports_nothing_of_the_collection_but_helpers_and_by_full_name() -> None:
    """Ansible sends a module with what it imports by full name; actions and what they share stay on the controller."""
    for name, path in MODULES.items():
        others = {one for one in imported(path) if one.startswith((PLUGINS, "."))}
        assert {one for one in others if not one.startswith(f"{PLUGINS}module_utils.")} == set(), name
