# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What doors are tried with: certificates that are worthless for one reason alone, and one that is good for minutes."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.certificate import issued_by, public_bytes
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls.pem import read_certificates, read_private_key
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import certificates
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.unit.certificates import NOW, authority

CA = authority("Gatehouse door CA")
GATEWAYS = ["gate1", "gate2"]
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def chain(entry: dict[str, Any]) -> list[Any]:
    return read_certificates(entry["pem"].encode(), "", [])


def common_name(leaf: Any) -> str:
    (found,) = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found.value)


def usage(leaf: Any) -> list[Any]:
    return list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


@pytest.fixture(scope="module")
def worthless() -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in certificates.worthless(CA.certificate, CA.key, GATEWAYS, NOW)}


def test_each_lacks_one_thing_and_has_all_others(worthless: dict[str, dict[str, Any]]) -> None:
    lacks = {}
    for name, entry in worthless.items():
        leaf = chain(entry)[0]
        sound = {
            "issuer": issued_by(leaf, CA.certificate),
            "time": leaf.not_valid_before_utc <= NOW <= leaf.not_valid_after_utc,
            "use": usage(leaf) == [CLIENT],
            "name": common_name(leaf) in GATEWAYS,
        }
        lacks[name] = [what for what, right in sound.items() if not right]
    assert lacks == {
        "of a foreign CA": ["issuer"],
        "of another CA of that name": ["issuer"],
        "expired": ["time"],
        "for servers": ["use"],
        "signed by one that is no CA": ["issuer"],
        "of no gateway": ["name"],
        "a gateway's name and more": ["name"],
        "a gateway's name in capitals": ["name"],
        "a gateway's name as a unit's": ["name"],
        "a gateway's name behind a comma": ["name"],
    }


def test_another_ca_has_the_name_of_the_right_one_and_another_key(worthless: dict[str, dict[str, Any]]) -> None:
    (same,) = chain(worthless["of another CA of that name"])
    (foreign,) = chain(worthless["of a foreign CA"])
    assert same.issuer == CA.certificate.subject != foreign.issuer


def test_what_signs_though_it_is_no_ca_is_shown_with_it_and_signed_by_the_right_one(
    worthless: dict[str, dict[str, Any]],
) -> None:
    leaf, signer = chain(worthless["signed by one that is no CA"])
    assert issued_by(leaf, signer)
    assert issued_by(signer, CA.certificate)
    assert common_name(leaf) == "gate1"
    assert signer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False


def test_each_has_a_key_of_its_own_and_none_that_signs(worthless: dict[str, dict[str, Any]]) -> None:
    every = [*worthless.values(), *certificates.valid(CA.certificate, CA.key, GATEWAYS, NOW)]
    keys = [read_private_key(one["pem"].encode(), "", []).public_key() for one in every]
    assert [public_bytes(key) for key in keys] == [public_bytes(chain(one)[0].public_key()) for one in every]
    assert len({public_bytes(key) for key in keys}) == len(every)
    for one in every:
        assert one["pem"].count("PRIVATE KEY-----") == 2


def test_the_valid_one_is_a_gateway_s_for_ten_minutes() -> None:
    (entry,) = certificates.valid(CA.certificate, CA.key, GATEWAYS, NOW)
    (leaf,) = chain(entry)
    assert issued_by(leaf, CA.certificate)
    assert (common_name(leaf), usage(leaf), entry["valid"]) == ("gate1", [CLIENT], True)
    assert leaf.not_valid_after_utc == NOW + datetime.timedelta(minutes=10)


def test_none_outlives_ten_minutes_or_is_a_server_s_by_the_name_of_a_door(worthless: dict[str, dict[str, Any]]) -> None:
    for entry in worthless.values():
        assert entry["valid"] is False
        for one in chain(entry):
            assert one.not_valid_after_utc <= NOW + datetime.timedelta(minutes=10)
            assert usage(one) == [SERVER] or "gatehouse-door" not in one.subject.rfc4514_string()
            assert common_name(one) != "gatehouse-door"


@pytest.mark.parametrize(
    ("ca", "key", "names"),
    [
        (None, None, {"of a foreign CA"}),
        (CA.certificate, None, {"of a foreign CA", "of another CA of that name"}),
    ],
)
def test_without_the_ca_or_its_key_there_are_those_that_it_takes_no_part_in(ca: Any, key: Any, names: set[str]) -> None:
    assert {one["name"] for one in certificates.worthless(ca, key, GATEWAYS, NOW)} == names
    assert certificates.valid(ca, key, GATEWAYS, NOW) == []


def test_where_there_is_no_gateway_none_is_valid() -> None:
    assert certificates.valid(CA.certificate, CA.key, [], NOW) == []
    assert {common_name(chain(one)[0]) for one in certificates.worthless(CA.certificate, CA.key, [], NOW)} == {
        certificates.NOBODY
    }


@pytest.mark.parametrize("name", ["G", "GATE", "g" * 64])
def test_names_of_every_length_have_ones_that_look_alike(name: str) -> None:
    made = certificates.worthless(CA.certificate, CA.key, [name, name.upper()], NOW)
    assert [one["name"] for one in made if common_name(chain(one)[0]) in (name, name.upper())] == [
        "of a foreign CA",
        "of another CA of that name",
        "expired",
        "for servers",
        "signed by one that is no CA",
    ]
