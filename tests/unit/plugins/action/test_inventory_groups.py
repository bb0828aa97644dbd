# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose hosts an inventory means. How the playbooks say so is held in tests/unit/test_playbooks.py."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from ansible import constants as C
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.gatehouse.ollama.plugins.action.inventory_groups import is_named, problem

OURS = ("ollama_servers", "ollama_gateways")


def judged(folder: Path, inventory: str) -> str | None:
    """What is said of an inventory in the form of an INI file."""
    path = folder / "hosts.ini"
    path.write_text(textwrap.dedent(inventory))
    groups = InventoryManager(DataLoader(), sources=[str(path)]).get_groups_dict()
    return problem(groups, OURS, [str(path)], named=True)


def test_an_inventory_that_is_not_there_or_gives_no_host_is_refused_where_somebody_named_it(tmp_path: Path) -> None:
    for source, why in {str(tmp_path / "none"): "does not exist", str(tmp_path): "gives no host"}.items():
        said = problem({"all": []}, OURS, [source], named=True)
        assert said is not None
        assert said.startswith(f"The inventory {source} {why}, so nothing is done. Name one with hosts, such as -i my-")
        assert problem({"all": []}, OURS, [source], named=False) is None


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["-i", "/etc/ansible/hosts"], True),
        (["-vi", "/etc/ansible/hosts"], True),
        (["-i/etc/ansible/hosts"], True),
        (["--inventory", "/etc/ansible/hosts"], True),
        (["--inv", "/etc/ansible/hosts"], True),
        (["-v", "--diff"], False),
    ],
)
def test_where_ansible_looks_by_itself_counts_as_named_if_somebody_names_it(
    monkeypatch: pytest.MonkeyPatch, options: list[str], named: bool
) -> None:
    monkeypatch.setattr(C.config, "get_config_value_and_origin", lambda _: (["/etc/ansible/hosts"], "default"))
    assert is_named(["/etc/ansible/hosts"], ["ansible-playbook", "play.yml", *options]) is named
    assert is_named(["/elsewhere"], ["ansible-playbook", "play.yml", *options])
    monkeypatch.setattr(C.config, "get_config_value_and_origin", lambda _: (["/etc/ansible/hosts"], "ansible.cfg"))
    assert is_named(["/etc/ansible/hosts"], ["ansible-playbook", "play.yml", *options])


@pytest.mark.parametrize("wrong", ["ollama_gateway", "ollama-gateways", "ollama_gatways", "Ollama_Gateways"])
def test_a_near_miss_of_a_group_is_refused_with_the_group_that_is_meant(tmp_path: Path, wrong: str) -> None:
    said = judged(tmp_path, f"[ollama_servers]\nllm\n[{wrong}]\nllm\n")
    assert said == f"The group {wrong} means nothing here; is ollama_gateways meant? Only in {wrong}: llm."


def test_where_our_groups_are_missing_their_last_word_is_a_near_miss(tmp_path: Path) -> None:
    said = judged(tmp_path, "[servers]\nllm\n[Gateway]\ngate\n[db]\nother\n") or ""
    assert said.splitlines() == [
        "The group Gateway means nothing here; is ollama_gateways meant? Only in Gateway: gate.",
        "The group servers means nothing here; is ollama_servers meant? Only in servers: llm.",
    ]


def test_groups_of_ones_own_are_nobodys_business(tmp_path: Path) -> None:
    """A part of the right group may have any name, and so may what is none of ours."""
    inventory = """\
        [ollama_server]
        llm
        [ollama_servers:children]
        ollama_server
        [ollama]
        llm
        other
        [my_ollama_gateways]
        other
        [ollama_gateways_of_ours]
        other
        [servers]
        other
        [gateways]
        other
    """
    assert judged(tmp_path, inventory) is None


def test_an_inventory_without_our_groups_is_told_what_belongs_into_them(tmp_path: Path) -> None:
    said = judged(tmp_path, "[db]\nother\n") or ""
    assert said.startswith("No host of this inventory is in the group ollama_servers or ollama_gateways, so there is ")
