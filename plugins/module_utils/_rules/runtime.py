# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the role nvidia_runtime mean together."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import common

PREFIX = "nvidia_runtime_"

_DRIVER = re.compile(r"[0-9]+(\.[0-9]+)*\Z")


def check(values: t.Mapping[str, t.Any], controller: common.Controller) -> common.Checked:
    rights = {
        "repository_url": common.url(values["repository_url"], "https://nvidia.github.io/libnvidia-container"),
        "version": common.release(values["version"], "1.18.1"),
        "minimum_driver": common.unless(_DRIVER.match(values["minimum_driver"]), "a version such as 550 or 550.54.14"),
    }
    problems = common.wrong(PREFIX, rights)
    if values["source"] != "nvidia":
        return common.Checked(problems)
    key = common.package_key(PREFIX, values, controller, problems)
    return common.Checked(problems, result={"repository_key": key})
