# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of Ollama's HTTP API.

Each request has a connection of its own, so that a client may be used from several threads. Timeouts count for each
read and write, not for a whole answer: a large model may take hours, as long as something moves. Redirects are not
followed, and no proxy is used: a key goes to the server that was named, and to nobody else.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import socket
import ssl
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import (
    BadInput,
    ServerError,
    ServerStalled,
    ServerUnreachable,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import bracketed

Dict = t.Dict[str, t.Any]
# Opens a connection, with a timeout in seconds; raises OSError.
Dial = t.Callable[[float], socket.socket]

# Loading is one silent answer. Ollama itself gives up after five minutes without progress (OLLAMA_LOAD_TIMEOUT).
LOAD_TIMEOUT = 600.0
# No description of a model and no list of models comes near.
_MOST_BYTES = 256 << 20
_BLOCK = 1 << 20
_EMBEDS_ONLY = "does not support generate"


@dataclass(frozen=True)
class Endpoint:
    """Where a server is, as its URL says. `path` is what stands before /api."""

    host: str
    port: int
    tls: bool = False
    path: str = ""

    @property
    def shown(self) -> str:
        return "%s://%s:%d%s" % ("https" if self.tls else "http", bracketed(self.host), self.port, self.path)


def read_url(url: str) -> Endpoint:
    """The endpoint that a URL names. Raises BadInput, without quoting what may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise BadInput(["url: it must be a URL such as https://llm.example.com:8880"])
    if parts.username is not None or parts.password is not None:
        raise BadInput(["url: it must not hold a name or a password; api_key takes a key"])
    tls = parts.scheme == "https"
    return Endpoint(parts.hostname, port or (443 if tls else 80), tls, parts.path.rstrip("/"))


@dataclass
class Client:
    """Talks to one server. `dial` opens connections where the endpoint's address is not simply to be connected to."""

    endpoint: Endpoint
    api_key: t.Optional[str] = field(default=None, repr=False)
    ca_path: t.Optional[str] = None
    timeout: float = 60.0
    dial: t.Optional[Dial] = field(default=None, repr=False)
    # For errors: which server it is, where its address says nothing to people.
    name: str = ""

    @property
    def shown(self) -> str:
        return self.name or f"the server at {self.endpoint.shown}"

    def version(self) -> str:
        return str(self._json("GET", "/api/version").get("version", ""))

    def tags(self) -> t.List[Dict]:
        """The installed models."""
        return self._models("/api/tags")

    def ps(self) -> t.List[Dict]:
        """The loaded models."""
        return self._models("/api/ps")

    def show(self, model: str) -> Dict:
        return self._json("POST", "/api/show", {"model": model})

    def copy(self, source: str, destination: str) -> None:
        self._json("POST", "/api/copy", {"source": source, "destination": destination})

    def delete(self, model: str) -> None:
        self._json("DELETE", "/api/delete", {"model": model})

    def load(self, model: str, keep_alive: t.Union[str, int, float]) -> None:
        """Load the model and keep it that long; 0 unloads it, a negative time keeps it for good."""
        body: Dict = {"model": model, "keep_alive": keep_alive}
        timeout = max(self.timeout, LOAD_TIMEOUT)
        try:
            self._json("POST", "/api/generate", {**body, "stream": False}, timeout)
        except ServerError as error:
            if _EMBEDS_ONLY not in str(error):
                raise
            self._json("POST", "/api/embed", {**body, "input": []}, timeout)

    def answers_with(self, model: str) -> None:
        """Have the model make one token, or an embedding where that is all it does. Raises ServerError."""
        timeout = max(self.timeout, LOAD_TIMEOUT)
        body: Dict = {"model": model, "prompt": "Hello", "stream": False, "options": {"num_predict": 1}}
        try:
            made = self._json("POST", "/api/generate", body, timeout)
        except ServerError as error:
            if _EMBEDS_ONLY not in str(error):
                raise
            if not self._json("POST", "/api/embed", {"model": model, "input": "Hello"}, timeout).get("embeddings"):
                raise ServerError(f"{self.shown} makes nothing with {model}") from None
            return
        if made.get("done") is not True:
            raise ServerError(f"{self.shown} does not come to an end with {model}")

    def head_blob(self, digest: str) -> bool:
        """Whether the server has the blob `sha256:...`."""
        with self._answer("HEAD", "/api/blobs/" + digest) as answer:
            if answer.status == 404:
                return False
            self._content(answer)
            return True

    def upload_blob(self, digest: str, path: str, progress: t.Callable[[int], None]) -> None:
        """Send a file, which must have that digest. `progress` is told the bytes that were sent."""
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            # The server answers when all of it is on its disk.
            with self._answer("POST", f"/api/blobs/{digest}", _blocks(file, progress), headers=headers) as answer:
                self._content(answer)

    def pull(self, model: str, insecure: bool = False) -> Stream:
        return Stream(self, "/api/pull", {"model": model, "stream": True, **({"insecure": True} if insecure else {})})

    def create(self, model: str, options: Dict) -> Stream:
        """Make a model; `options` as the API has them: from, files, system, template, parameters and so on."""
        return Stream(self, "/api/create", {**options, "model": model, "stream": True})

    def _models(self, path: str) -> t.List[Dict]:
        return [one for one in self._json("GET", path).get("models") or [] if isinstance(one, dict)]

    def _json(self, method: str, path: str, body: t.Optional[Dict] = None, timeout: t.Optional[float] = None) -> Dict:
        with self._answer(method, path, body, timeout) as answer:
            content = self._content(answer)
        return self._object(content) if content.strip() else {}

    @contextlib.contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        body: t.Union[Dict, t.Iterator[bytes], None] = None,
        timeout: t.Optional[float] = None,
        headers: t.Optional[t.Dict[str, str]] = None,
    ) -> t.Iterator[http.client.HTTPResponse]:
        """The answer, before its body was read. Whatever fails on the way, inside the block too, is a ServerError."""
        timeout = self.timeout if timeout is None else timeout
        sent = {"Accept": "application/json", "User-Agent": "gatehouse.ollama", "Content-Type": "application/json"}
        sent.update(headers or {})
        if self.api_key:
            sent["Authorization"] = "Bearer " + self.api_key
        with self._translate_errors(timeout), contextlib.closing(self._connection(timeout)) as connection:
            # It may have refused before it had read all of it; then its answer says more.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                data = json.dumps(body).encode() if isinstance(body, dict) else body
                connection.request(method, self.endpoint.path + path, data, sent)
            yield connection.getresponse()

    @contextlib.contextmanager
    def _translate_errors(self, timeout: float) -> t.Iterator[None]:
        try:
            yield
        except socket.timeout:
            raise ServerStalled(f"{self.shown} said nothing for {timeout:g} seconds") from None
        except ssl.SSLCertVerificationError as error:
            reason = f"its certificate is not trusted: {error.verify_message}; ca_path names the CA"
            raise ServerUnreachable(f"{self.shown} cannot be asked: {reason}") from None
        except ssl.SSLError as error:
            raise ServerUnreachable(f"{self.shown} cannot be asked: TLS fails: {error.reason}") from None
        except OSError as error:
            raise ServerUnreachable(f"{self.shown} does not answer: {error.strerror or error}") from None
        except http.client.HTTPException as error:
            reason = str(error) or type(error).__name__
            raise ServerUnreachable(f"{self.shown} broke off its answer ({reason})") from None

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        host, port = self.endpoint.host, self.endpoint.port
        if self.endpoint.tls:
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=self._context())
        connection = _Connection(host, port, timeout=timeout)
        if self.dial is not None:
            connection.dial = functools.partial(self.dial, timeout)
        return connection

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_path)
        except (OSError, ValueError):
            raise BadInput([f"ca_path: {self.ca_path}: no certificates can be read from it"]) from None

    def _content(self, answer: http.client.HTTPResponse) -> bytes:
        """The body of an answer. Raises what the server says against the request."""
        content = answer.read(_MOST_BYTES)
        if answer.length:
            raise http.client.IncompleteRead(content, answer.length)
        if answer.status < 300:
            return content
        if answer.status < 400:
            where = answer.getheader("Location") or "another address"
            message = f"it sends us on to {where}, which is not followed; name that server itself"
        else:
            message = _message(content) or f"{answer.status} {answer.reason}"
        if answer.status in (401, 403):
            message += " (api_key gives the key for a gateway, which needs a scope for this)"
        raise ServerError(f"{self.shown} refuses: {message}", answer.status)

    def _object(self, content: bytes) -> Dict:
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ServerError(f"{self.shown} answers with what is no JSON object; is it Ollama?")
        return found


class Stream:
    """The lines of a streamed answer as dictionaries. One that reports an error, under status 200 as well, raises.

    `wait(seconds)` says how long the next line may take.
    """

    def __init__(self, client: Client, path: str, body: Dict) -> None:
        self._client = client
        self._path = path
        self._body = body
        self._socket: t.Optional[socket.socket] = None
        self.timeout = client.timeout

    def wait(self, seconds: float) -> None:
        self.timeout = seconds
        if self._socket is not None:
            self._socket.settimeout(seconds)

    def __iter__(self) -> t.Iterator[Dict]:
        client = self._client
        ended = False
        with client._answer("POST", self._path, self._body, self.timeout) as answer:
            if answer.status >= 300:
                client._content(answer)
            self._socket = _socket_of(answer)
            while True:
                try:
                    line = answer.readline(_MOST_BYTES)
                except socket.timeout:
                    raise ServerStalled(f"{client.shown} said nothing for {self.timeout:g} seconds") from None
                if not line:
                    break
                if not line.strip():
                    continue
                status = client._object(line)
                if "error" in status:
                    raise ServerError(_message(line) or "an error without words")
                ended = status.get("status") == "success"
                yield status
        if not ended:
            raise ServerUnreachable(f"{client.shown} broke off its answer")


class _Connection(http.client.HTTPConnection):
    dial: t.Optional[t.Callable[[], socket.socket]] = None

    def connect(self) -> None:
        if self.dial is None:
            return super().connect()
        self.sock = self.dial()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _blocks(file: t.BinaryIO, progress: t.Callable[[int], None]) -> t.Iterator[bytes]:
    count = 0
    for block in iter(lambda: file.read(_BLOCK), b""):
        count += len(block)
        progress(count)
        yield block


def _socket_of(answer: http.client.HTTPResponse) -> t.Optional[socket.socket]:
    """The connection behind an answer, which http.client lets go of where the server closes after it."""
    return getattr(getattr(answer.fp, "raw", None), "_sock", None)


def _message(content: bytes) -> str:
    """What an error says, in Ollama's dialect or OpenAI's; empty if nothing."""
    try:
        error = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    if isinstance(error, dict):
        error = error.get("message")
    return str(error or "")
