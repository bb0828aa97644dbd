# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.gatehouse.ollama.plugins.modules import image_version


def test_the_version_is_read_from_what_the_program_says_without_a_server() -> None:
    said = "Warning: could not connect to a running Ollama instance\nWarning: client version is 0.32.15\n"
    assert image_version.read_answer(said) == "0.32.15"
    assert image_version.read_answer("ollama version is 0.17.1-rc2") == "0.17.1-rc2"
    assert image_version.read_answer("exec: not found") == ""
