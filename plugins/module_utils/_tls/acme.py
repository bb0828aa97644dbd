# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What certbot has, what it has to be asked for, and what its refusals mean. Pure functions."""

from __future__ import annotations

import datetime
import re
import ssl
import typing as t
from dataclasses import dataclass

# A certificate is renewed when less than this is left, or less than a third of its life.
MARGIN = datetime.timedelta(days=30)

_SERVER = re.compile(r"^server *= *(\S+)", re.MULTILINE)
_REFUSED_NAME = re.compile(r"^ *Domain: *(\S+)\n *Type: *(\S+)\n *Detail: *(.+)$", re.MULTILINE)
# What certbot says around a reason.
_NOISE = re.compile(
    r"^(|Saving debug log to .*|An unexpected error occurred:|Some challenges have failed\.|Ask for help or .*"
    r"|Account registered\.|(Requesting|Renewing) .* certificate .*|[- ]+)$"
)
_LONGEST_REASON = 600


@dataclass(frozen=True)
class Certificate:
    names: t.FrozenSet[str]
    begins: datetime.datetime
    ends: datetime.datetime


def parse_certificate(text: str) -> Certificate:
    """Read what `openssl x509 -noout -startdate -enddate -ext subjectAltName` prints."""
    dates = dict(re.findall(r"^(notBefore|notAfter)=(.+)$", text, re.MULTILINE))
    if len(dates) < 2:
        raise ValueError("there are no dates")
    # As OpenSSL prints a time, such as `Jun  1 12:00:00 2027 GMT`, whatever the locale.
    begins, ends = (
        datetime.datetime.fromtimestamp(ssl.cert_time_to_seconds(dates[name]), datetime.timezone.utc)
        for name in ("notBefore", "notAfter")
    )
    names = re.findall(r"(?:DNS|IP Address):([^,\s]+)", text)
    return Certificate(frozenset(name.lower() for name in names), begins, ends)


def issuer_of(renewal: str) -> str:
    """The directory from which the certificate is, as certbot's renewal file says; empty if it does not."""
    found = _SERVER.search(renewal)
    return found.group(1) if found else ""


def why_due(
    present: Certificate | None, issuer: str, directory: str, names: t.Iterable[str], now: datetime.datetime
) -> str:
    """Why a certificate has to be asked for; empty if the present one is right."""
    if present is None:
        return "there is no certificate yet"
    if issuer != directory:
        return f"the certificate is from {issuer or 'another directory'}"
    wanted = frozenset(name.lower() for name in names)
    if present.names != wanted:
        return "the certificate is for " + ", ".join(sorted(present.names))
    if present.ends - now <= min(MARGIN, (present.ends - present.begins) / 3):
        return f"the certificate ends at {present.ends:%Y-%m-%dT%H:%M:%SZ}"
    return ""


def reason(output: str, errors: str) -> str:
    """What certbot says went wrong, in a line or two."""
    refused = [f"{name}: {detail}" for name, _kind, detail in _REFUSED_NAME.findall(output + "\n" + errors)]
    if refused:
        said = "; ".join(refused)
    else:
        lines = [line.strip() for line in (errors or output).splitlines()]
        said = " ".join(dict.fromkeys(line for line in lines if not _NOISE.match(line)))
    return said if len(said) <= _LONGEST_REASON else said[:_LONGEST_REASON] + "…"


# What a reason speaks of: the variable that decides, and what to try.
_ADVICE: t.Tuple[t.Tuple[str, str, str], ...] = (
    (
        r"Domain: ",
        "ollama_gateway_server_names",
        "Each name must lead to this host, and the ACME server must reach port 80 there, which is "
        "ollama_gateway_http_port unless something in between forwards it.",
    ),
    (
        r"(?i)external.?account|\beab\b|eab-|\bkid\b|binascii|base64",
        "ollama_gateway_acme_eab_key_id and ollama_gateway_acme_eab_hmac_key",
        "Compare both with what the certificate authority gave you: they belong together, and may count once only.",
    ),
    (
        r"(?i)ratelimit|rate limit|too many",
        "ollama_gateway_server_names",
        "Wait as long as it says; ollama_gateway_acme_staging: true lets you try without such limits meanwhile.",
    ),
    (
        r"(?i)SSLError|CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "ollama_gateway_acme_directory",
        "Where the server's own HTTPS has a private CA, name that CA with ollama_gateway_acme_ca.",
    ),
    (
        r"(?i)e-?mail|contact",
        "ollama_gateway_acme_email",
        "Use an address that exists, or leave it empty.",
    ),
    (
        r"(?i)\bCAA\b|rejectedIdentifier|forbids|policy|not issue|IP address|wildcard|challenges that will satisfy",
        "ollama_gateway_server_names",
        "Use names for which this authority may issue certificates: no addresses, no wildcards, and no CAA record "
        "against it.",
    ),
    (
        r"(?i)refused|timed? ?out|unreachable|resolve|Name or service|Max retries|ConnectionError|Requesting ",
        "ollama_gateway_acme_directory",
        "Check that the URL is right and that this host reaches it: `curl -v` with it, on the host, tells. If it "
        "is down, try again later.",
    ),
    (
        r"(?i)ClientError|JSON|KeyError|Response \[|not found|directory",
        "ollama_gateway_acme_directory",
        "It must be the URL of an ACME directory (RFC 8555), letter by letter as the certificate authority names it.",
    ),
)
_OTHERWISE = ("ollama_gateway_acme_directory", "certbot's log on the host tells more.")


def refusal(directory: str, output: str, errors: str) -> str:
    """The message for a certificate that certbot could not get."""
    said = reason(output, errors)
    spoken = "Domain: " + said if _REFUSED_NAME.search(output + "\n" + errors) else said
    found = [(variable, advice) for pattern, variable, advice in _ADVICE if re.search(pattern, spoken)]
    variable, advice = found[0] if found else _OTHERWISE
    return f"{variable}: there is no certificate from {directory}: {said.rstrip('. ')}. {advice}"
