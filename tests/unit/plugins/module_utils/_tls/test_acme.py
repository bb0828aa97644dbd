# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._tls import acme

DIRECTORY = "https://acme.example.com/directory"
OPENSSL = """\
notBefore=Nov 25 16:59:35 2026 GMT
notAfter=Feb  3 16:59:34 2027 GMT
X509v3 Subject Alternative Name: critical
    DNS:LLM.example.com, DNS:other.example.com
"""
RENEWAL = f"""\
# renew_before_expiry = 30 days
version = 4.0.0
[renewalparams]
account = d0b2503c6f197ebd331c2447bbcd563c
server = {DIRECTORY}
authenticator = webroot
[[webroot_map]]
llm.example.com = /srv
"""
NOW = datetime(2026, 12, 1, tzinfo=timezone.utc)
NAMES = ["llm.example.com", "Other.example.com"]
AROUND = (
    "Saving debug log to /x/letsencrypt.log\n",
    "\nAsk for help or search for solutions at https://x. See the log",
)


def certificate(days: float, left: float) -> acme.Certificate:
    """A certificate for so many days, with so many left."""
    ends = NOW + timedelta(days=left)
    return acme.Certificate(frozenset(name.lower() for name in NAMES), ends - timedelta(days=days), ends)


def why_due(present: acme.Certificate | None, issuer: str = DIRECTORY) -> str:
    return acme.why_due(present, issuer, DIRECTORY, NAMES, NOW)


def test_what_openssl_and_certbot_say_is_read() -> None:
    found = acme.parse_certificate(OPENSSL)
    assert found.names == {"llm.example.com", "other.example.com"}
    assert found.begins == datetime(2026, 11, 25, 16, 59, 35, tzinfo=timezone.utc)
    assert found.ends == datetime(2027, 2, 3, 16, 59, 34, tzinfo=timezone.utc)
    assert acme.issuer_of(RENEWAL) == DIRECTORY
    assert acme.issuer_of("") == ""


@pytest.mark.parametrize("text", ["", "notBefore=Nov 25 16:59:35 2026 GMT\n", "notBefore=x\nnotAfter=y\n"])
def test_what_is_no_certificate_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        acme.parse_certificate(text)


@pytest.mark.parametrize(("days", "left"), [(90, 31), (90, 89), (45, 16), (6, 2.1), (0.001, 0.0005)])
def test_a_certificate_with_enough_of_its_life_left_stays(days: float, left: float) -> None:
    assert why_due(certificate(days, left)) == ""


@pytest.mark.parametrize(("days", "left"), [(90, 29.9), (397, 30), (45, 15), (6, 1.9), (90, -1)])
def test_a_certificate_near_its_end_is_due(days: float, left: float) -> None:
    assert why_due(certificate(days, left)).startswith("the certificate ends at 20")


def test_none_another_directory_and_other_names_are_due() -> None:
    good = certificate(90, 80)
    assert why_due(None) == "there is no certificate yet"
    assert why_due(good, "https://other.example.com/dir") == "the certificate is from https://other.example.com/dir"
    assert why_due(good, "") == "the certificate is from another directory"
    fewer = acme.Certificate(frozenset({"llm.example.com"}), good.begins, good.ends)
    assert why_due(fewer) == "the certificate is for llm.example.com"


# As certbot 4.0 said, against Pebble: standard output, standard error, the variable, the reason.
REFUSALS = [
    (
        "Requesting a certificate for nowhere.example.com\n\nCertbot failed to authenticate some domains (authenticator"
        ": webroot). The Certificate Authority reported these problems:\n  Domain: nowhere.example.com\n"
        "  Type:   connection\n  Detail: lookup nowhere.example.com: no such host\n\nHint: The Certificate ...",
        "Some challenges have failed.",
        "ollama_gateway_server_names",
        "nowhere.example.com: lookup nowhere.example.com: no such host",
    ),
    (
        "",
        "An unexpected error occurred:\nacme.errors.ClientError: <Response [404]>",
        "ollama_gateway_acme_directory",
        "acme.errors.ClientError: <Response [404]>",
    ),
    (
        "",
        "An unexpected error occurred:\nValueError: Requesting acme.example.com/dir: Connection refused",
        "ollama_gateway_acme_directory",
        "ValueError: Requesting acme.example.com/dir: Connection refused",
    ),
    (
        "",
        "An unexpected error occurred:\nrequests.exceptions.SSLError: HTTPSConnectionPool(host='acme.example.com', "
        "port=443): Max retries exceeded with url: /dir (Caused by SSLError(SSLCertVerificationError(1, '[SSL: "
        "CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate')))",
        "ollama_gateway_acme_directory",
        "unable to get local issuer certificate",
    ),
    (
        "",
        "Unable to register an account with ACME server. Server requires external account binding. Please use --eab-"
        "kid and --eab-hmac-key.",
        "ollama_gateway_acme_eab_key_id and ollama_gateway_acme_eab_hmac_key",
        "Server requires external account binding",
    ),
    (
        "",
        "Unable to register an account with ACME server. Error returned by the ACME server: external account binding "
        "JWS verification error: go-jose/go-jose: error in cryptographic primitive",
        "ollama_gateway_acme_eab_key_id and ollama_gateway_acme_eab_hmac_key",
        "JWS verification error",
    ),
    (
        "",
        "An unexpected error occurred:\nError creating new order :: too many certificates (5) already issued for this "
        "exact set of domains in the last 168h0m0s, retry after 2027-01-01",
        "ollama_gateway_server_names",
        "retry after 2027-01-01",
    ),
    (
        "",
        "An unexpected error occurred:\nUnable to validate JWS :: contact email has invalid domain",
        "ollama_gateway_acme_email",
        "invalid domain",
    ),
    ("", "something new", "ollama_gateway_acme_directory", "something new"),
]


@pytest.mark.parametrize(("output", "errors", "variable", "reason"), REFUSALS)
def test_a_refusal_names_the_variable_and_quotes_the_reason(
    output: str, errors: str, variable: str, reason: str
) -> None:
    said = acme.refusal(DIRECTORY, output, errors.join(AROUND))
    assert said.startswith(f"{variable}: there is no certificate from {DIRECTORY}: ")
    assert reason in said
    assert "Ask for help" not in said
    assert "debug log" not in said


def test_a_reason_is_a_line_or_two() -> None:
    assert len(acme.reason("", "word " * 1000)) <= 601
