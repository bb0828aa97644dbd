# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CA of this collection is and signs, as its judge and as a stranger see it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls import signing
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.certificate import pem
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.renewal import Subject, judge_ca, why_due
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from tests.unit.certificates import NOW, authority

KEY = signing.new_ca_key()
CA = signing.ca_certificate(KEY, "Gatehouse door CA", NOW)
DOOR = Subject(["gatehouse-door", "192.0.2.7"], "gatehouse-door")
GATEWAY = Subject([], "gateway-1", is_client=True)


def signed(subject: Subject, life: int = 397) -> tuple[bytes, Any]:
    key = signing.new_key()
    leaf = signing.leaf_certificate(key, subject, CA, KEY, life, NOW)
    return (signing.key_pem(key) + pem([leaf])).encode(), leaf


def due(there: bytes, subject: Subject) -> str | None:
    return why_due(there, CA, subject, 30, NOW)


def test_what_is_signed_is_not_due_again_before_its_last_month() -> None:
    for subject in (DOOR, GATEWAY):
        assert due(signed(subject)[0], subject) is None
        assert due(signed(subject, life=31)[0], subject) is None
        assert str(due(signed(subject, life=29)[0], subject)).startswith("the certificate there is good from ")
    assert judge_ca(CA, True, True, 397, NOW) == ("", "")


def test_what_is_signed_for_somebody_else_or_for_another_use_is_due() -> None:
    said = "the certificate there is for "
    assert due(signed(GATEWAY)[0], GATEWAY._replace(common_name="gateway-2")) == said + "gateway-1"
    assert due(signed(DOOR)[0], DOOR._replace(common_name="x")) == said + "gatehouse-door, 192.0.2.7"
    as_server = signed(Subject([], "gateway-1"))[0]
    assert due(as_server, GATEWAY) == "the certificate there is not that of a client"
    as_client = signed(DOOR._replace(is_client=True))[0]
    assert due(as_client, DOOR) == "the certificate there is not that of a server"


def test_strangers_take_a_server_for_a_server_and_a_client_for_a_client() -> None:
    door, gateway = signed(DOOR)[1], signed(Subject(["gateway-1"], "gateway-1", is_client=True))[1]
    policy = PolicyBuilder().store(Store([CA])).time(NOW)
    assert policy.build_server_verifier(x509.DNSName("gatehouse-door")).verify(door, [])
    assert policy.build_client_verifier().verify(gateway, [])
    for verifier, other in ((policy.build_client_verifier(), door), (policy.build_client_verifier(), CA)):
        with pytest.raises(x509.verification.VerificationError):
            verifier.verify(other, [])


def test_it_is_good_from_a_while_ago_for_hosts_whose_clock_is_late() -> None:
    _, leaf = signed(GATEWAY)
    assert leaf.not_valid_before_utc <= NOW - datetime.timedelta(minutes=30)
    assert leaf.not_valid_after_utc == NOW + datetime.timedelta(days=397)


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_common_name_that_no_certificate_can_have_is_told(name: str) -> None:
    with pytest.raises(BadInput, match="common_name: it must have 1 to 64 characters"):
        signing.check(Subject([], name, is_client=True))


def test_a_name_beyond_ascii_is_told() -> None:
    with pytest.raises(BadInput, match="names: gätehouse must be in ASCII"):
        signing.check(Subject(["gätehouse"], "x"))


def test_a_key_of_a_kind_that_this_never_makes_does_not_stay() -> None:
    assert signing.is_usable(signing.new_key())
    assert not signing.is_usable(authority("CA", rsa_bits=1024).key)
    assert not signing.is_usable(None)
