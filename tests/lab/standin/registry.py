# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests and blobs from and to a registry, with the errors worded as Go's client words them.

Blocking; the server runs it in threads.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import ssl
import time
from pathlib import Path
from typing import Callable, Mapping
from urllib.parse import urljoin, urlsplit

from .proxies import proxy_for

MANIFEST_MEDIA = "application/vnd.docker.distribution.manifest.v2+json"
BLOCK = 64 << 10
RETRIES = 5

Progress = Callable[[int], None]


class RegistryError(Exception):
    """The registry could not be asked, or said no."""


class Cancelled(Exception):
    """Nobody waits for this transfer any more."""


def _nameserver() -> str:
    try:
        lines = Path("/etc/resolv.conf").read_text().splitlines()
    except OSError:
        lines = []
    servers = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    return f"{servers[0] if servers else '127.0.0.1'}:53"


def dial_problem(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror):
        server = _nameserver()
        looked_up = f"dial tcp: lookup {host} on {server}: "
        if error.errno == socket.EAI_NONAME:
            return looked_up + "no such host"
        return looked_up + f"dial udp {server}: connect: network is unreachable"
    if isinstance(error, TimeoutError):
        return f"dial tcp {host}:{port}: i/o timeout"
    return f"dial tcp {host}:{port}: connect: {os.strerror(error.errno or 0).lower()}"


def problem_of_dialling(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), 5).close()
    except OSError as error:
        return dial_problem(error, host, port)
    return "EOF"


def tls_problem(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return "http: server gave HTTP response to HTTPS client"
    return f"tls: {error.reason or error}"


class Registry:
    """`shown` is the address that error messages name, `base` the one that is asked."""

    def __init__(self, base: str, shown: str, proxies: Mapping[str, str] | None = None) -> None:
        self.base = base
        self.shown = shown
        self._proxies = proxies or {}

    def repository(self, namespace: str, model: str) -> Repository:
        return Repository(self, f"/v2/{namespace}/{model}")

    def open(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> http.client.HTTPResponse:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        proxy = proxy_for(parts.scheme, host, port, self._proxies)
        described = f'{method.capitalize()} "{url.replace(self.base, self.shown, 1)}": '
        connection: http.client.HTTPConnection
        try:
            connection = self._connect(parts.scheme, host, port, proxy)
        except ssl.SSLError as error:
            raise RegistryError(described + tls_problem(error)) from None
        except OSError as error:
            if proxy:
                via = urlsplit(proxy)
                problem = "proxyconnect tcp: " + dial_problem(error, via.hostname or "", via.port or 80)
            else:
                problem = dial_problem(error, host, port)
            raise RegistryError(described + problem) from None
        try:
            connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), body, headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise RegistryError(described + "EOF") from None

    def _connect(self, scheme: str, host: str, port: int, proxy: str) -> http.client.HTTPConnection:
        if scheme == "http":
            connection = http.client.HTTPConnection(host, port, timeout=30)
        elif proxy:
            via = urlsplit(proxy)
            connection = http.client.HTTPSConnection(via.hostname or "", via.port or 80, timeout=30)
            connection.set_tunnel(host, port)
        else:
            connection = http.client.HTTPSConnection(host, port, timeout=30)
        connection.connect()
        return connection


class Repository:
    def __init__(self, registry: Registry, path: str) -> None:
        self._registry = registry
        self._path = path

    def _ask(
        self, method: str, url: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> http.client.HTTPResponse:
        for _ in range(10):
            response = self._registry.open(method, url, headers or {}, body)
            location = response.headers.get("Location")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                return response
            response.close()
            url = urljoin(url, location)
        raise RegistryError("stopped after 10 redirects")

    def _url(self, rest: str) -> str:
        return self._registry.base + self._path + rest

    def manifest(self, tag: str) -> bytes:
        response = self._ask("GET", self._url(f"/manifests/{tag}"), {"Accept": MANIFEST_MEDIA})
        with response:
            data = response.read()
        if response.status == 404:
            raise RegistryError("file does not exist")
        if response.status >= 400:
            raise RegistryError(f"{response.status}: {data.decode('utf-8', 'replace')}")
        return data

    def fetch_blob(self, digest: str, size: int, target: Path, progress: Progress) -> None:
        """Download into `target`, resuming what an earlier attempt left; the digest is checked by the caller."""
        partial = target.with_name(target.name + "-partial")
        for attempt in range(RETRIES + 1):
            try:
                self._fetch_rest(digest, partial, progress)
            except (OSError, http.client.HTTPException, RegistryError):
                if attempt == RETRIES:
                    raise RegistryError("max retries exceeded: unexpected EOF") from None
                time.sleep(0.1 * 2**attempt)
            if partial.exists() and partial.stat().st_size >= size:
                partial.replace(target)
                return
        raise RegistryError("max retries exceeded: unexpected EOF")

    def _fetch_rest(self, digest: str, partial: Path, progress: Progress) -> None:
        have = partial.stat().st_size if partial.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        with self._ask("GET", self._url(f"/blobs/{digest}"), headers) as response:
            if response.status == 200:
                have = 0
            elif response.status != 206:
                raise RegistryError(f"{response.status}")
            with partial.open("r+b" if have else "wb") as stream:
                stream.seek(have)
                while block := response.read(BLOCK):
                    stream.write(block)
                    have += len(block)
                    progress(have)

    def has_blob(self, digest: str) -> bool:
        with self._ask("HEAD", self._url(f"/blobs/{digest}")) as response:
            return response.status == 200

    def upload_blob(self, digest: str, data: bytes) -> None:
        with self._ask("POST", self._url("/blobs/uploads/")) as response:
            location = response.headers.get("Location", "")
            if response.status != 202:
                raise RegistryError(f"{response.status}: {response.read().decode('utf-8', 'replace')}")
        url = urljoin(self._url("/"), location)
        url += f"{'&' if '?' in url else '?'}digest={digest}"
        headers = {"Content-Type": "application/octet-stream"}
        with self._ask("PUT", url, headers, data) as response:
            if response.status != 201:
                raise RegistryError(f"{response.status}: {response.read().decode('utf-8', 'replace')}")

    def put_manifest(self, tag: str, data: bytes) -> None:
        with self._ask("PUT", self._url(f"/manifests/{tag}"), {"Content-Type": MANIFEST_MEDIA}, data) as response:
            if response.status >= 400:
                raise RegistryError(f"{response.status}: {response.read().decode('utf-8', 'replace')}")


def digest_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return "sha256:" + digest.hexdigest()
