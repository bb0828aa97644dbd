# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ollama as a service of systemd: whether it is there, and where it has its models."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

_NAME = re.compile(r"(?!-)[A-Za-z0-9@._-]{1,200}\.service\Z")
_PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "User", "Environment")


@dataclass(frozen=True)
class Service:
    """`models` is a folder of the host, with what leads from there to the models."""

    name: str
    is_active: bool
    is_enabled: bool
    models: t.Tuple[str, str]


def find(module: AnsibleModule, name: str) -> Service:
    """Raises GatehouseError where there is none."""
    if not _NAME.match(name):
        raise GatehouseError("adopt_service: it must be the name of a unit of systemd, such as ollama.service")
    said = _show(module, name)
    if said.get("LoadState") != "loaded":
        raise GatehouseError(
            f"There is nothing to adopt on this host: adopt_compose_dir is empty, and systemd has no {name}. Name the "
            "folder in which `docker compose up` was run, or another unit by adopt_service"
        )
    models = models_of(said.get("User", ""), said.get("Environment", ""))
    return Service(name, said.get("ActiveState") == "active", said.get("UnitFileState") == "enabled", models)


def _show(module: AnsibleModule, name: str) -> t.Dict[str, str]:
    systemctl = module.get_bin_path("systemctl")
    if not systemctl:
        return {}
    _rc, stdout, _stderr = module.run_command([systemctl, "show", name, "--property=" + ",".join(_PROPERTIES)])
    return dict(line.partition("=")[::2] for line in stdout.splitlines())


def models_of(user: str, environment: str) -> t.Tuple[str, str]:
    """Where a service of that user and environment, as systemd shows them, has its models."""
    try:
        said = dict(word.partition("=")[::2] for word in shlex.split(environment))
    except ValueError:
        said = {}
    given = said.get("OLLAMA_MODELS", "")
    if os.path.isabs(given):
        return os.path.normpath(given), ""
    return os.path.join(said.get("HOME") or _home(user), ".ollama"), "models"


def _home(user: str) -> str:
    try:
        return pwd.getpwnam(user or "root").pw_dir
    except KeyError:
        return "/usr/share/ollama"


def stop(module: AnsibleModule, service: Service) -> bool:
    """Stop it and keep it from starting with the host; tell whether it did."""
    changed = service.is_active or service.is_enabled
    if changed and not module.check_mode:
        module.run_command(["systemctl", "disable", "--now", service.name], check_rc=True)
    return changed


def start(module: AnsibleModule, service: Service) -> None:
    if not module.check_mode:
        module.run_command(["systemctl", "enable", "--now", service.name], check_rc=True)
