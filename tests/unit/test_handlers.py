# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What handlers do to a container that has to run for years."""

from __future__ import annotations

from pathlib import Path

import yaml

HANDLERS = Path(__file__).parents[2] / "roles/ollama_gateway/handlers/main.yml"


def test_a_reload_leaves_it_to_docker_to_start_the_gateway_with_the_host() -> None:
    """`docker kill` with any signal, and `docker stop`, make Docker think that somebody stopped the container."""
    commands = [one.get("ansible.builtin.command", {}).get("argv", []) for one in yaml.safe_load(HANDLERS.read_text())]
    reloads = [argv for argv in commands if any("HUP" in str(word) for word in argv)]
    assert [argv[:2] for argv in reloads] == [["docker", "exec"]]
