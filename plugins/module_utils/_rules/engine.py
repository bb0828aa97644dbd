# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the role docker_engine mean together."""

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import common

PREFIX = "docker_engine_"


def check(values: t.Mapping[str, t.Any], controller: common.Controller) -> common.Checked:
    rights = {
        "version": common.release(values["version"], "29.1.0"),
        "repository_url": common.url(values["repository_url"], "https://download.docker.com"),
    }
    problems = common.wrong(PREFIX, rights)
    if values["source"] == "docker":
        key = common.package_key(PREFIX, values, controller, problems)
        return common.Checked(problems, result={"repository_key": key})
    if values["version"]:
        why = "since a distribution offers one version alone"
        problems.add(PREFIX + "version", f"it is for {PREFIX}source docker, {why}; leave it empty")
    return common.Checked(problems)
