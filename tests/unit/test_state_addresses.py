# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gatehouse.ollama.plugins.filter.state_addresses import filtered

HOSTS: dict[str, dict[str, Any]] = {
    "one": {"ansible_host": "10.0.0.1"},
    "two": {"valkey_bind": "fd00::2", "valkey_sentinel_port": "26380", "valkey_port": "6380"},
    "three": {},
    "gone": {"valkey_state": "absent"},
}


def test_one_node_is_reached_itself_and_several_by_their_sentinels() -> None:
    assert filtered(["one"], HOSTS) == ["10.0.0.1:6379"]
    assert filtered(["two", "gone"], HOSTS) == ["[fd00::2]:6380"]
    assert filtered(["one", "two", "three"], HOSTS) == ["10.0.0.1:26379", "[fd00::2]:26380", "three:26379"]
    assert filtered([], HOSTS) == []


def test_a_port_that_is_none_is_told_with_its_host() -> None:
    with pytest.raises(AnsibleFilterError, match="valkey_port of one: "):
        filtered(["one"], {"one": {"valkey_port": "x"}})
