# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links of certbot, from its files."""

from __future__ import annotations

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.certbot import links


def files(name: str, number: int, *parts: str) -> list[str]:
    return [f"archive/{name}/{part}{number}.pem" for part in parts or ("cert", "chain", "fullchain", "privkey")]


def test_they_lead_to_the_last_number_of_which_all_parts_are_there() -> None:
    paths = [
        *files("gatehouse", 9),
        *files("gatehouse", 10),
        *files("gatehouse", 11, "privkey"),
        "renewal/gatehouse.conf",
    ]
    assert links(paths) == {
        f"live/gatehouse/{part}.pem": f"../../archive/gatehouse/{part}10.pem"
        for part in ("cert", "chain", "fullchain", "privkey")
    }


def test_each_certificate_has_its_own_and_half_a_one_has_none() -> None:
    found = links([*files("one", 1), *files("two", 1), *files("half", 1, "cert", "chain"), "archive/cert1.pem"])
    assert {path.split("/")[1] for path in found} == {"one", "two"}
