# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the wall connects: plainly, or by TLS to a server that has the certificate that it must have."""

from __future__ import annotations

import socket
import ssl
import tempfile
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Address, Answer, send

# The certificate of no server.
_NOBODY = b""


@dataclass(frozen=True)
class Link:
    """A way to a server: plain without a `context`, otherwise TLS that asks for `name` (SNI), if that is no address.

    Nothing is sent to a server that presents another `certificate` (DER) than this, if there is one.
    """

    address: Address
    context: t.Optional[ssl.SSLContext] = field(default=None, repr=False)
    name: t.Optional[str] = None
    certificate: t.Optional[bytes] = field(default=None, repr=False)

    def send(self, raw: bytes, timeout: float) -> Answer:
        return send(self.address, raw, timeout, None if self.context is None else self._wrap)

    def presented(self, timeout: float) -> bytes:
        """The certificate (DER) of the server. Raises OSError."""
        place = (self.address.host, self.address.port)
        with socket.create_connection(place, timeout) as sock, self._wrap(sock) as wrapped:
            return _certificate(wrapped)

    def _wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        if self.context is None:
            raise ValueError("a plain link has no certificate")
        # Python itself leaves out an address, which is no name for SNI (RFC 6066, section 3).
        wrapped = self.context.wrap_socket(sock, server_hostname=self.name)
        if self.certificate is not None and _certificate(wrapped) != (self.certificate or None):
            wrapped.close()
            raise OSError("the server presents another certificate")
        return wrapped


def _certificate(sock: ssl.SSLSocket) -> bytes:
    return sock.getpeercert(binary_form=True) or b""


@dataclass(frozen=True)
class Links:
    """`first` sees whether the server proves who it is; all others stick to what it found (`usual`).

    `asked` does not look: nothing that is secret may go over it.
    """

    asked: Link
    first: Link
    usual: Link


def links(address: Address, name: str, certificate: str | None, ca_file: str | None, timeout: float) -> Links:
    """Plainly, or by TLS with the certificate in this file or else one that a CA vouches for. Raises GatehouseError."""
    if not address.tls:
        return Links(*[Link(address)] * 3)
    asked = Link(address, _context(), name)
    if certificate:
        pinned = replace(asked, certificate=first_certificate(certificate))
        return Links(asked, pinned, pinned)
    try:
        proving = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise GatehouseError(f"ca_file: {ca_file}: no certificates can be read from it: {error.strerror}") from None
    first = replace(asked, context=proving)
    try:
        presented = first.presented(timeout)
    except OSError:
        # The attack on `first` tells why.
        presented = _NOBODY
    return Links(asked, first, replace(asked, certificate=presented))


def unproven(address: Address, name: str) -> Link:
    """By TLS to whoever is there: nothing that is secret may go over it."""
    return Link(address, _context(), name)


def with_client_certificate(link: Link, pem: str, option: str = "client_certificate", ca: str | None = None) -> Link:
    """The same, with a certificate and key of a client. Raises GatehouseError if they are none.

    With the certificate of a CA, only to a server that it vouches for.
    """
    context = _context()
    if ca is not None:
        try:
            context.load_verify_locations(cadata=ca)
        except (OSError, ValueError):
            raise GatehouseError("door_ca: it must be the certificate of a CA, as PEM") from None
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = True
    # Only a file will do; it is for nobody else, and gone at once.
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(pem)
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except (OSError, ValueError):
            raise GatehouseError(f"{option}: it must be a certificate and its private key, as PEM") from None
    return replace(link, context=context)


def first_certificate(path: str) -> bytes:
    """The first certificate of a PEM file, as DER. Nothing is told of a key beside it. Raises GatehouseError."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        inside = text[text.index(begin) : text.index(end) + len(end)]
        found = ssl.PEM_cert_to_DER_cert(inside)
        if not found:
            raise ValueError
        return found
    except OSError as error:
        raise GatehouseError(f"certificate: {path}: it cannot be read: {error.strerror}") from None
    except ValueError:
        raise GatehouseError(f"certificate: {path}: there is none in it") from None


def _context() -> ssl.SSLContext:
    """TLS 1.2 or better; whom it reached is for the caller to see."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
