# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a certificate is due, with certificates of every kind."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.renewal import Subject, judge_ca, why_due

from tests.unit.certificates import DAY, NOW, Pair, authority, make

NAMES = ("gate.example.org", "192.0.2.7", "2001:db8::1")
CA, OTHER = authority("CA", days=(-1, 3650)), authority("CA")
GOOD = make("gateway", CA, NAMES, days=(-1, 100))


def server(pair: Pair, key: Pair | None = None) -> bytes:
    return (key or pair).key_pem + pair.pem


def due(there: bytes | None, ca: Any = CA.certificate, names: tuple[str, ...] = NAMES, days: int = 30) -> str | None:
    return why_due(there, ca, Subject(names), days, NOW)


def test_one_that_is_right_is_not_due_however_its_names_are_written() -> None:
    assert due(server(GOOD)) is None
    assert due(server(GOOD), names=("2001:DB8:0::1", "Gate.Example.org", "192.0.2.7")) is None


@pytest.mark.parametrize("names", [NAMES[:2], (*NAMES, "more.example.org"), ("other.example.org", *NAMES[1:]), ()])
def test_one_for_other_names_is_due(names: tuple[str, ...]) -> None:
    assert due(server(GOOD), names=names) == "the certificate there is for gate.example.org, 192.0.2.7, 2001:db8::1"


def test_one_is_due_before_its_end_and_not_earlier() -> None:
    assert due(server(GOOD), days=99) is None
    assert str(due(server(GOOD), days=101)).startswith("the certificate there is good from ")
    later = NOW - 2 * DAY
    assert why_due(server(GOOD), CA.certificate, Subject(NAMES), 30, later) is not None, (
        "one of the future is good for nobody yet"
    )
    assert why_due(server(GOOD), CA.certificate, Subject(NAMES), 0, NOW + datetime.timedelta(days=200)) is not None


def test_one_of_another_ca_is_due_also_where_that_has_the_same_name() -> None:
    assert due(server(GOOD), ca=OTHER.certificate) == "another CA signed the certificate there"
    assert due(server(make("gateway", None, NAMES))) == "another CA signed the certificate there"


def test_one_beside_another_key_or_certificate_is_due() -> None:
    said = "the certificate there is not that of its key alone"
    assert due(server(GOOD, key=make("gateway", CA, NAMES))) == said
    assert due(server(GOOD) + CA.pem) == said


@pytest.mark.parametrize("there", [b"", b"rubbish", GOOD.pem, GOOD.key_pem, server(GOOD)[:-40], GOOD.pem[:-40]])
def test_what_is_damaged_is_due(there: bytes) -> None:
    assert due(there) == "what is there cannot be read"


def test_without_a_file_or_a_ca_one_is_due() -> None:
    assert due(None) == "there is no certificate yet"
    assert due(server(GOOD), ca=None) == "there is no CA yet"


def test_no_reason_quotes_the_key() -> None:
    lines = [line for line in GOOD.key_pem.decode().splitlines() if "-----" not in line]
    for there in (server(GOOD, key=make("x", CA, NAMES)), server(GOOD)[:-40], GOOD.key_pem):
        assert [line for line in lines if line in str(due(there))] == []


def test_a_ca_that_ended_or_lost_its_key_is_told_and_never_replaced_by_itself() -> None:
    ended, soon = (authority("CA", days=(-20, days)).certificate for days in (-1, 30))

    def judged(ca: Any = CA.certificate, is_due: bool = False, key_is_there: bool = True) -> tuple[str, str]:
        return judge_ca(ca, is_due, key_is_there, life=397, now=NOW)

    assert judged(is_due=True) == judged(key_is_there=False) == ("", "")
    assert "no ca.key beside its ca.pem" in judged(is_due=True, key_is_there=False)[0]
    assert "so that nobody trusts" in judged(ended)[0]
    assert "before what it signs now would" in judged(soon)[1]


def test_many_beginnings_without_an_end_are_told_at_once() -> None:
    begun = time.perf_counter()
    assert due(b"-----BEGIN A-----" * 60_000) == "what is there cannot be read"
    assert time.perf_counter() - begun < 5, "1 MB"
