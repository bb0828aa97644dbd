# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links of certbot, from its files."""

from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.certbot import (
    is_renewal,
    links,
    strange_option,
)


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


RENEWAL = """
# renew_before_expiry = 30 days
version = 2.9.0
archive_dir = /opt/gatehouse/gateway/acme/config/archive/gatehouse
cert = /opt/gatehouse/gateway/acme/config/live/gatehouse/cert.pem

[renewalparams]
account = 0123456789abcdef
authenticator = webroot
webroot_path = /opt/webhook/acme/webroot,
server = https://acme-v02.api.letsencrypt.org/directory
[[webroot_map]]
web-hook.example.com = /opt/webhook/acme/webroot
"""


def test_a_renewal_as_this_collection_has_it_runs_nothing_else() -> None:
    assert strange_option(RENEWAL.encode()) is None
    assert strange_option(RENEWAL.encode() + b"installer = None\n") is None
    assert (is_renewal("renewal/gatehouse.conf"), is_renewal("archive/gatehouse/cert1.pem")) == (True, False)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("pre_hook = touch /tmp/x", "pre_hook"),
        ('  "renew_hook"=x', "renew_hook"),
        ("Post_Hook = x", "Post_Hook"),
        ("manual_auth_hook = x", "manual_auth_hook"),
        ("authenticator = manual", "authenticator"),
        ("installer = nginx", "installer"),
    ],
)
def test_an_option_by_which_it_would_is_named(line: str, named: str) -> None:
    for end in ("\n", "\r"):
        assert strange_option((RENEWAL + line + end).encode()) == f"the option {named}"


def test_what_is_no_text_is_told() -> None:
    for content in (RENEWAL.encode("utf-16"), b"pre\0_hook = x", b"\xff"):
        assert strange_option(content) == "what is no text"
