# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the modules for credentials and certificates, and what their actions take, are the same."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.plugins.loader import action_loader, fragment_loader
from ansible.utils.plugin_docs import get_docstring
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import CLIENT_KEYS, KEY_KEYS

MODULES = ["htpasswd", "api_keys"]


def documented(module: str) -> dict[str, Any]:
    from importlib import import_module

    path = import_module(f"ansible_collections.gatehouse.ollama.plugins.modules.{module}").__file__
    options: dict[str, Any] = get_docstring(path, fragment_loader, collection_name="gatehouse.ollama")[0]["options"]
    return options


def arguments(module: str) -> dict[str, Any]:
    found: dict[str, Any] = action_loader.get(f"gatehouse.ollama.{module}", class_only=True).ARGUMENTS
    return found


@pytest.mark.parametrize("module", [*MODULES, "check_input"])
def test_options_types_defaults_and_choices_are_documented_as_they_are(module: str) -> None:
    said = documented(module)
    real = arguments(module)
    assert set(said) == set(real)
    for name, option in real.items():
        for aspect in ("default", "choices", "required"):
            assert said[name].get(aspect) == option.get(aspect), (name, aspect)
        if name != "clients":  # taken raw, for Ansible's own check would quote it
            assert (said[name]["type"], said[name].get("elements")) == (option["type"], option.get("elements")), name


@pytest.mark.parametrize("module", MODULES)
def test_the_form_of_a_client_is_documented_as_it_is(module: str) -> None:
    client = documented(module)["clients"]["suboptions"]
    assert set(client) == set(CLIENT_KEYS)
    assert set(client["keys"]["suboptions"]) == set(KEY_KEYS)
