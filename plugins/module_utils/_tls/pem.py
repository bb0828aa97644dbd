# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM (RFC 7468): certificates, revocation lists and keys out of text, for people who paste it. Pure functions.

No message quotes what was read, since it may be a private key.
"""

from __future__ import annotations

import base64
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import MissingLibrary, Problems

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key
except ImportError:
    x509 = None  # type: ignore[assignment]

BEGIN = "-----BEGIN "
KEY_LABELS = (b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY", b"DSA PRIVATE KEY")

# White space may be of any kind: text in YAML loses its line breaks easily.
# None reaches over the beginning of another one, which many beginnings without an end would make slow to find out.
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----((?:(?!-----BEGIN ).)*?)-----END \1-----", re.DOTALL)
_NAMES = {
    b"CERTIFICATE": "a certificate",
    b"CERTIFICATE REQUEST": "a request for a certificate",
    b"PUBLIC KEY": "a public key",
    b"X509 CRL": "a revocation list",
    **dict.fromkeys(KEY_LABELS, "a private key"),
}
_OTHER = "PEM of another kind"


# A label, and what stands below it.
Blocks = t.List[t.Tuple[bytes, bytes]]


def require_cryptography() -> None:
    """Raise MissingLibrary where the library cannot be used."""
    if x509 is None or not hasattr(x509.Certificate, "not_valid_after_utc"):
        raise MissingLibrary(
            "Reading certificates needs the Python library cryptography, 42 or newer, on the controller. ansible-core "
            "needs it too; update it there: pip install --upgrade cryptography"
        )


def _decode(body: bytes) -> bytes:
    return base64.b64decode(b"".join(body.split()), validate=True)


def read_certificates(data: bytes, variable: str, problems: Problems) -> list[t.Any]:
    """The certificates, in the order of the text; a private key beside them is left alone."""
    return _read(data, variable, b"CERTIFICATE", _load_certificate, problems)


def read_crls(data: bytes, variable: str, problems: Problems) -> list[t.Any]:
    return _read(data, variable, b"X509 CRL", _load_crl, problems)


def _load_crl(content: bytes) -> t.Any:
    return x509.load_der_x509_crl(content)


def _load_certificate(content: bytes) -> t.Any:
    certificate = x509.load_der_x509_certificate(content)
    certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return certificate


def _read(
    data: bytes, variable: str, label: bytes, load: t.Callable[[bytes], t.Any], problems: Problems
) -> list[t.Any]:
    require_cryptography()
    blocks: Blocks = _BLOCK.findall(data)
    wanted = [body for kind, body in blocks if kind == label]
    problem = _no_pem(data, blocks)
    if problem or not wanted:
        problems.add(variable, problem or f"it holds {_NAMES.get(blocks[0][0], _OTHER)}, and not {_NAMES[label]}")
        return []
    found = []
    for number, body in enumerate(wanted, 1):
        try:
            item = load(_decode(body))
            # Fields are read late; what is damaged shall be seen here.
            str([item.issuer, getattr(item, "subject", ""), [one.value for one in item.extensions]])
            found.append(item)
        except Exception:  # cryptography has many kinds of it
            place = "" if len(wanted) == 1 else f" number {number}"
            problems.add(variable, f"{_NAMES[label]}{place} is damaged and cannot be read")
    return found


def read_private_key(data: bytes, variable: str, problems: Problems) -> t.Any:
    """The only private key of the text, None with a problem; certificates beside it are left alone."""
    require_cryptography()
    blocks: Blocks = _BLOCK.findall(data)
    keys = [(label, body) for label, body in blocks if label in KEY_LABELS]
    problem = _no_pem(data, blocks)
    if problem:
        pass
    elif not keys:
        problem = f"it holds {_NAMES.get(blocks[0][0], _OTHER)}, and not a private key"
    elif len(keys) > 1:
        problem = f"it holds {len(keys)} private keys; leave the one that belongs to the certificate"
    elif b"ENCRYPTED" in b"".join(keys[0]):
        problem = "the private key has a passphrase, and must be without one, since nginx starts unattended; remove it "
        problem += "with openssl pkey, and protect the file with ansible-vault instead"
    else:
        try:
            return load_der_private_key(_decode(keys[0][1]), None)
        except Exception:  # cryptography has many kinds of it
            problem = "the private key is damaged, or of a kind that is unknown here"
    problems.add(variable, problem)
    return None


def _no_pem(data: bytes, blocks: Blocks) -> str | None:
    if len(blocks) < data.count(BEGIN.encode()):
        return "it is damaged: a line -----BEGIN ...----- has no -----END ...----- of its own"
    if blocks:
        return None
    if not data.strip():
        return "it is empty"
    # DER and PKCS #12 begin with an ASN.1 sequence.
    hint = "; it may be DER or PKCS #12, which openssl can convert" if data[:1] == b"\x30" else ""
    return f"it is not PEM, which begins with -----BEGIN{hint}"
