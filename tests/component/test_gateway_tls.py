# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS: what is spoken and what is not, by which names, and certificates that are replaced while it runs."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.component.contract.replay import Reply, send
from tests.component.gateways import Gateway, gateway, status, with_tls
from tests.component.upstreams import Echo

NAMES = ["127.0.0.1", "gateway.example", "*.wild.example", "::1"]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module", params=["basic", "both"])
def server(
    request: pytest.FixtureRequest, upstream: Echo, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp(request.param)
    one = Gateway(folder, request.param, upstream.address, **with_tls(NAMES), ollama_gateway_http_port=80)
    one.present(authority.issue(*NAMES), authority)
    with one.running():
        yield one


def plain(server: Gateway, data: bytes, port: str = "") -> Reply:
    return send(port or server.address, data)


def curl(server: Gateway, *arguments: str) -> str:
    ca = server.folder / "ca.pem"
    url = f"https://{server.address}/api/tags"
    command = ["curl", "-sS", "--cacert", str(ca), "-H", f"Authorization: {server.credential()}", *arguments, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


def test_a_client_with_a_credential_is_served_and_nobody_else(server: Gateway) -> None:
    assert server.status(server.credential()) == 200
    assert server.status() == 401


def test_http_2_and_1_1_are_spoken(server: Gateway) -> None:
    assert curl(server, "-o", "/dev/null", "-w", "%{http_code} %{http_version}") == "200 2"
    assert curl(server, "--http1.1", "-o", "/dev/null", "-w", "%{http_code} %{http_version}") == "200 1.1"


def test_a_body_over_http_2_is_judged_with_and_without_a_length(server: Gateway) -> None:
    server.allow({"alice": ["inference"]}, {"alice": ["tiny"]} if server.auth == "both" else None)
    url = f"https://{server.address}/api/chat"
    command = ["curl", "-sS", "--cacert", str(server.folder / "ca.pem"), "-o", "/dev/null", "-w", "%{http_code}"]
    command += ["--http2", "-H", f"Authorization: {server.credential()}", "-X", "POST"]
    for model, wanted in (("tiny", "200"), ("other", "403" if server.auth == "both" else "200")):
        body = json.dumps({"model": model, "messages": []})
        for form in (["-d", "@-"], ["-H", "Content-Length:", "-T", "-"]):
            sent = subprocess.run(
                [*command, *form, url], input=body, capture_output=True, text=True, timeout=20, check=True
            )
            assert sent.stdout == wanted, (model, form)
    server.allow({"alice": ["admin"]})


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(server: Gateway, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    host, _colon, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as connection, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(connection)


def test_plain_http_is_refused_at_the_port_of_https(server: Gateway) -> None:
    reply = plain(server, server.wire("/api/tags", f"Authorization: {server.credential()}"))
    assert status(reply) == 400
    assert json.loads(reply.body) == {"error": "this port speaks HTTPS only"}


@pytest.mark.parametrize(
    "host", ["evil.example", "gateway.example.evil", "wild.example", "a.b.example", "10.0.0.1", "x"]
)
def test_another_name_is_refused_whatever_the_credential(server: Gateway, host: str) -> None:
    wire = server.wire("/api/tags", f"Authorization: {server.credential()}")
    data = wire.replace(b"Host: " + server.address.encode(), b"Host: " + host.encode())
    reply = send(server.address, data, tls=server.tls)
    assert status(reply) == 421
    assert json.loads(reply.body) == {"error": "this gateway does not go by that name"}


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_one_connection_carries_more_than_a_thousand_requests(server: Gateway, version: str) -> None:
    command = ["curl", "-sS", version, "--cacert", str(server.folder / "ca.pem"), "-o", "/dev/null"]
    command += ["-w", "%{http_code} %{num_connects}\n", f"https://{server.address}/healthz?[1-1100]"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["200 1"] + ["200 0"] * 1099


@pytest.mark.parametrize("line", [b"Host: 10.0.0.1\r\n", b"Host: evil.example\r\n", b""])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_load_balancer_that_asks_by_address_or_without_a_name_learns_that_it_is_alive(
    server: Gateway, line: bytes, version: bytes
) -> None:
    answers = {}
    for path in (b"/healthz", b"/healthz/", b"/healthz/../api/tags", b"/api/tags", b"/"):
        data = b"GET %s HTTP/%s\r\n%sConnection: close\r\n\r\n" % (path, version, line)
        answers[path] = status(send(server.address, data, tls=server.tls))
    # HTTP/1.1 without Host is no request (RFC 9112, section 3.2).
    wrong = 421 if line or version == b"1.0" else 400
    assert answers == dict.fromkeys(answers, wrong) | {b"/healthz": 200 if wrong == 421 else 400}


@pytest.mark.parametrize("host", ["gateway.example", "GATEWAY.example:1", "a.wild.example", "[::1]", "[::1]:80"])
def test_each_of_its_names_is_answered_to(server: Gateway, host: str) -> None:
    wire = server.wire("/api/tags", f"Authorization: {server.credential()}")
    data = wire.replace(b"Host: " + server.address.encode(), b"Host: " + host.encode())
    assert status(send(server.address, data, tls=server.tls)) == 200


def test_the_plain_port_sends_over_and_serves_nobody(server: Gateway, upstream: Echo) -> None:
    port = server.variables["__ollama_gateway_http_listen"]
    before = len(upstream.requests)
    for path in ("/", "/api/tags?x=1", "/healthz", "/api/../api/tags"):
        for name in ("gateway.example", "127.0.0.1"):
            data = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nAuthorization: {server.credential()}\r\n\r\n".encode()
            reply = plain(server, data, port)
            assert status(reply) == 308
            assert reply.header("Location") == f"https://{name}:8880{path}"
    foreign = b"GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n\r\n"
    assert status(plain(server, foreign, port)) == 421
    assert len(upstream.requests) == before


def test_a_certificate_that_is_replaced_counts_for_the_next_connection_and_no_request_fails(
    server: Gateway, authority: Authority
) -> None:
    stop, failed, count = threading.Event(), [], 0

    def ask() -> None:
        nonlocal count
        while not stop.is_set():
            if server.status(server.credential()) != 200:
                failed.append(1)
            count += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(10):
            issued = authority.issue(*NAMES)
            server.present(issued, authority)
            time.sleep(0.05)
            host, _colon, port = server.address.rpartition(":")
            pem = ssl.get_server_certificate((host, int(port)))
            assert ssl.PEM_cert_to_DER_cert(pem) == ssl.PEM_cert_to_DER_cert(issued.pem)
    finally:
        stop.set()
        thread.join()
    assert count > 10
    assert not failed


def test_a_configuration_of_each_kind_is_one(tmp_path: Path, upstream: Echo) -> None:
    kinds: list[dict[str, Any]] = [{}, {"ollama_gateway_http3": True, "ollama_gateway_hsts": 60}]
    for auth in ("basic", "bearer"):
        for more in kinds:
            folder = tmp_path / (auth + str(len(more)))
            one = Gateway(folder, auth, upstream.address, **with_tls(NAMES), **more, __ollama_gateway_listen="8080")
            done = one.test()
            assert done.returncode == 0, done.stderr


def test_who_is_refused_by_name_is_so_over_each_protocol(tmp_path: Path, upstream: Echo) -> None:
    """No client of HTTP/3 is at hand: the server that refuses has to listen wherever the other one does."""
    variables = with_tls(NAMES) | {"ollama_gateway_http3": True}
    one = Gateway(tmp_path, "bearer", upstream.address, **variables, __ollama_gateway_listen="8080")
    listens = {
        name: set(re.findall(r"^ *listen 8080 (ssl|quic)\b", (tmp_path / "conf" / name).read_text(), re.MULTILINE))
        for name in ("nginx.conf", "tls.conf")
    }
    assert listens == {"nginx.conf": {"ssl", "quic"}, "tls.conf": {"ssl", "quic"}}
    defaults = re.findall(r"^ *listen .* default_server;", (tmp_path / "conf" / "tls.conf").read_text(), re.MULTILINE)
    assert len(defaults) == 2
    done = one.test()
    assert done.returncode == 0, done.stderr


def test_browsers_are_told_to_stay_with_https(tmp_path: Path, upstream: Echo, authority: Authority) -> None:
    one = Gateway(tmp_path, "bearer", upstream.address, **with_tls(NAMES), ollama_gateway_hsts=3600)
    one.present(authority.issue(*NAMES), authority)
    try:
        one.start()
        for credential in (None, one.credential()):
            reply = one.ask("/api/tags", *([f"Authorization: {credential}"] if credential else []))
            assert reply.header("Strict-Transport-Security") == "max-age=3600"
    finally:
        one.stop()


def test_without_tls_other_names_are_refused_if_names_are_given(tmp_path: Path, upstream: Echo) -> None:
    with gateway(tmp_path, "bearer", upstream.address, ollama_gateway_server_names=["127.0.0.1"]) as one:
        assert one.status(one.credential()) == 200
        data = one.wire("/api/tags", f"Authorization: {one.credential()}")
        assert status(send(one.address, data.replace(b"Host: 127", b"Host: 128"))) == 421
        assert status(send(one.address, b"GET /healthz HTTP/1.0\r\n\r\n")) == 200
        assert status(send(one.address, b"GET /api/tags HTTP/1.0\r\n\r\n")) == 421
