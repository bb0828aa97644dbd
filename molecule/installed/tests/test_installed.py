# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection, built and installed on a fresh machine, deploys to that machine with no inventory at all."""

from __future__ import annotations

from pathlib import Path

from tests.scenario import Scenario

HOST = Scenario(Path(__file__).parents[1]).host("gate")
TAGS = "http://127.0.0.1:8880/api/tags"


def status(*headers: str) -> str:
    """The status that curl shows on the machine itself."""
    options = " ".join(f"-H '{header}'" for header in headers)
    return HOST.check_output(f"curl -s -o /dev/null -w '%{{http_code}}' {options} {TAGS}")


def test_who_has_no_key_is_refused() -> None:
    assert status() == "401"
    assert status("Authorization: Bearer wrong") == "401"


def test_the_generated_key_is_served() -> None:
    key = HOST.check_output("cat /root/empty/.gatehouse/secrets/me.laptop")
    assert status(f"Authorization: Bearer {key}") == "200"


def test_the_generated_key_is_readable_by_its_owner_only() -> None:
    assert oct(HOST.file("/root/empty/.gatehouse/secrets/me.laptop").mode) == "0o600"
    assert oct(HOST.file("/root/empty/.gatehouse/secrets").mode) == "0o700"


def test_nothing_but_the_gateway_listens_and_only_on_loopback() -> None:
    listening = HOST.check_output("ss -Hltn").split()
    assert [address for address in listening if address.endswith(":8880")] == ["127.0.0.1:8880"]
    assert [address for address in listening if address.endswith(":11434")] == []
