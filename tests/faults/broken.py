# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of Docker's daemon is broken while deploy.yml runs: it says so, changes nothing, and nobody notices."""

from __future__ import annotations

from tests.faults.service import deployed

FILE = "/etc/docker/daemon.json"
# What is no JSON, and what Docker would not start with.
BROKEN = {"cut off": "{", "an unknown option": '{"no-such-option": true}'}


def main() -> int:
    with deployed() as service:
        for name, text in BROKEN.items():
            with service.fault(f"daemon.json, {name}"), service.used():
                service.host.run_expect([0], f"cp -p {FILE} /root/kept && printf %s %s >{FILE}", "%s", text)
                before = service.host.check_output("docker ps --quiet --no-trunc")
                code, said = service.deploy()
                if code == 0 or FILE not in said:
                    service.problems.append(f"ends with {code} and does not name the file: {said[-1500:]}")
                if service.host.check_output("docker ps --quiet --no-trunc") != before:
                    service.problems.append("containers were replaced")
                if service.host.file(FILE).content_string != text:
                    service.problems.append("the file was changed")
                service.host.run_expect([0], f"cp -p /root/kept {FILE}")
                service.ends_well()
    return len(service.problems)
