# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as the command of Ollama sends them: a Go program that takes proxies and CAs from its environment."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import ssl
from typing import Any, Iterator, Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from . import gojson
from .proxies import proxy_for
from .registry import dial_problem, tls_problem
from .settings import Endpoint

AGENT = "(amd64 linux) Go/go1.27.3"
UNREACHABLE = "ollama server not responding - could not connect to ollama server, run 'ollama serve' to start it"
SOMETHING_WRONG = "something went wrong, please see the ollama server logs for details"


class CommandError(Exception):
    """Printed after `Error: `; the command then ends with 1."""


class Client:
    def __init__(self, endpoint: Endpoint, version: str, environ: Mapping[str, str]) -> None:
        self._endpoint = endpoint
        self._host = endpoint.host or "127.0.0.1"
        self._agent = f"ollama/{version} {AGENT}"
        self._proxy = urlsplit(proxy_for(endpoint.scheme, self._host, endpoint.port, environ))

    @property
    def _origin(self) -> str:
        shown = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._endpoint.scheme}://{shown}:{self._endpoint.port}"

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._proxy.hostname or self._host, self._proxy.port or self._endpoint.port
        if self._endpoint.scheme != "https":
            return http.client.HTTPConnection(host, port)
        # The default context reads SSL_CERT_FILE and SSL_CERT_DIR, as Go does.
        connection = http.client.HTTPSConnection(host, port, context=ssl.create_default_context())
        if self._proxy.hostname:
            connection.set_tunnel(self._host, self._endpoint.port, _credentials(self._proxy))
        return connection

    def _open(self, method: str, path: str, body: bytes | Iterator[bytes] | None, accept: str) -> Any:
        url = f"{self._origin}{self._endpoint.path}{path}"
        connection = self._connection()
        headers = {"User-Agent": self._agent}
        if isinstance(body, bytes):
            headers["Content-Length"] = str(len(body))
        elif body is not None:
            headers["Transfer-Encoding"] = "chunked"
        headers |= {"Accept": accept, "Content-Type": "application/json"}
        headers |= {} if method == "HEAD" else {"Accept-Encoding": "gzip"}
        target = self._endpoint.path + path
        if self._proxy.hostname and self._endpoint.scheme == "http":
            target, headers = url, {**headers, **_credentials(self._proxy)}
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", self._origin.partition("://")[2])
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(body, encode_chunked=not isinstance(body, bytes | None))
            return connection.getresponse()
        except ConnectionRefusedError:
            raise CommandError(UNREACHABLE) from None
        except ssl.SSLError as error:
            raise CommandError(f'{method.capitalize()} "{url}": {tls_problem(error)}') from None
        except OSError as error:
            problem = dial_problem(error, self._host, self._endpoint.port)
            raise CommandError(f'{method.capitalize()} "{url}": {problem}') from None
        except http.client.HTTPException:
            raise CommandError(f'{method.capitalize()} "{url}": EOF') from None

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = body if body is None or isinstance(body, Iterator) else gojson.encode(body)
        with self._open(method, path, data, "application/json") as response:
            content = response.read()
            packed = response.headers.get("Content-Encoding") == "gzip"
        answer = _parse(gzip.decompress(content) if packed else content)
        _check(response, answer)
        return answer

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        with self._open("POST", path, gojson.encode(body), "application/x-ndjson") as response:
            packed = response.headers.get("Content-Encoding") == "gzip"
            for line in gzip.GzipFile(fileobj=response) if packed else response:
                status = _parse(line)
                _check(response, status)
                if "error" in status:
                    raise CommandError(str(status["error"]))
                yield status


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _check(response: http.client.HTTPResponse, answer: dict[str, Any]) -> None:
    if response.status == http.client.UNAUTHORIZED:
        raise CommandError(SOMETHING_WRONG)
    if response.status >= http.client.BAD_REQUEST:
        raise CommandError(str(answer.get("error") or f"{response.status} {response.reason}"))


def _parse(data: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(data)) if data.strip() else {}
    except (ValueError, TypeError):
        return {}
