# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of the gateway, or of a server's door, rendered by Ansible from the role's own variables."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.collection import make_known

make_known()

ROLES = Path(__file__).resolve().parents[2] / "roles"
ROLE = ROLES / "ollama_gateway"
SERVER = ROLES / "ollama_server"


# Read once: that takes longer than to render all of the configuration.
@functools.cache
def _known(role: Path) -> dict[str, Any]:
    loader = DataLoader()
    known: dict[str, Any] = {"role_path": str(role)}
    for file in [role / "defaults" / "main.yml", *sorted((role / "vars").rglob("*.yml"))]:
        known |= loader.load_from_file(str(file), trusted_as_template=True)
    return known


def _templar(role: Path, **variables: Any) -> Templar:
    return Templar(loader=DataLoader(), variables=_known(role) | variables)


def keys(name: str) -> list[str]:
    """The keys of a variable of the role that is a dictionary."""
    return list(_known(ROLE)[name])


def render(template: str, role: Path = ROLE, **variables: Any) -> str:
    """The role's template with its defaults; `variables` replace some of them."""
    source = (role / "templates" / template).read_text(encoding="utf-8")
    return str(_templar(role, **variables).template(trust_as_template(source)))


def value(name: str, role: Path = ROLE, **variables: Any) -> Any:
    """A variable of the role, private ones included."""
    return _templar(role, **variables).template(trust_as_template("{{ " + name + " }}"))
