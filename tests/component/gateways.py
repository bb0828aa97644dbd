# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways on loopback: the role's configuration and Lua modules in the lab's nginx and OpenResty containers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docker.models.containers import Container
from passlib.hash import sha512_crypt

from tests.certificates import Authority, Issued
from tests.component import rendering
from tests.component.contract.replay import Reply, connect, send
from tests.component.contract.standins import free_port, until
from tests.lab import engine, images
from tests.lab.base import LABEL

USER = 60880
PASSWORDS = {"alice": "wonderland", "bob": "pässwörd:2", "carol": ""}
KEYS = {"alice.laptop": "ghk_alice-laptop", "bob.ci": "ghk_bob-ci"}


# What the upstreams of the tests have besides the API of Ollama.
EXTRA = ["/stream", "/upload", "/accel", "/hang", "/echo", "/repeat", "/drop"]
EXTRA += [f"/status/{number}" for number in (400, 401, 403, 404, 500, 502, 503, 504)]
EXTRA_ROUTES: list[dict[str, Any]] = [
    {"method": method, "path": path, "scope": "any", "body": "inference", "model": "", "fields": []}
    for path in EXTRA
    for method in ("GET", "POST", "PUT", "HEAD", "DELETE")
]


def basic(user: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def record(name: str, secret: str, *rest: str) -> str:
    """A line of the key file."""
    return " ".join([name, "sha256:" + hashlib.sha256(secret.encode()).hexdigest(), *rest])


def key_lines() -> list[str]:
    """The lines of KEYS, as of keys that are beyond guessing."""
    return [record(name, secret, f"last4={secret[-4:]}") for name, secret in KEYS.items()]


def with_tls(names: list[str]) -> dict[str, Any]:
    """The variables of a gateway that speaks HTTPS and goes by these names."""
    return {
        "ollama_gateway_tls": "provided",
        "ollama_gateway_server_names": names,
        "__ollama_gateway_inside_listen": f"127.0.0.1:{free_port()}",
        "__ollama_gateway_http_listen": f"127.0.0.1:{free_port()}",
    }


class Gateway:
    """A gateway in front of `upstreams`; its files are in `folder`, laid out as the role does."""

    def __init__(self, folder: Path, auth: str, *upstreams: str, workers: str = "auto", **variables: Any) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.folder = folder
        self.auth = auth
        self.workers = workers
        self.variables = {
            "ollama_gateway_auth": auth,
            "ollama_gateway_upstreams": list(upstreams),
            # Tests fail to come in all the time. Those that are about that set a limit.
            "ollama_gateway_auth_failures": 0,
            "__ollama_gateway_listen": self.address,
            "__ollama_gateway_routes": [*rendering.value("__ollama_gateway_routes"), *EXTRA_ROUTES],
            **variables,
        }
        # The options of the file system in which bodies wait.
        self.tmpfs = "mode=1777"
        self.container: Container | None = None
        # How to speak to it with HTTPS; None is plain HTTP.
        self.tls: ssl.SSLContext | None = None
        folder.mkdir(exist_ok=True)
        for name in ("conf", "clients", "tls", "acme"):
            self._own(folder / name, 0o750, (folder / name).mkdir)
        for name in ("lua", "page"):
            shutil.copytree(rendering.ROLE / "files" / name, folder / name)
            for path in (folder / name, *(folder / name).rglob("*")):
                self._own(path, 0o750 if path.is_dir() else 0o640)
        self._own(self.ledger, 0o770, lambda: self.ledger.mkdir(parents=True))
        self.configure()
        self.write(
            "htpasswd", [f"{name}:{sha512_crypt.using(rounds=5000).hash(word)}" for name, word in PASSWORDS.items()]
        )
        self.write("api_keys", key_lines())
        self.allow({name: ["admin"] for name in PASSWORDS})

    def allow(self, scopes: dict[str, list[str]], models: dict[str, list[str]] | None = None) -> None:
        """Replace what the clients may do; all models unless `models` says otherwise. `*` is whoever is not named."""
        limits = models or {}
        self.permit({name: {"models": limits.get(name, ["*"]), "scopes": granted} for name, granted in scopes.items()})

    def permit(self, rights: dict[str, dict[str, Any]]) -> None:
        """Write what the clients may do as the role does, for both engines."""
        # Rendering has made the collection known by now, which an import at the top would need.
        from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.rights import scope_files

        self.write("clients.json", [json.dumps(rights)])
        root = self.folder / "clients" / "scopes"
        shutil.rmtree(root, ignore_errors=True)
        self._own(root, 0o750, root.mkdir)
        for path in map(root.joinpath, scope_files(rights)):
            if not path.parent.exists():
                self._own(path.parent, 0o750, path.parent.mkdir)
            path.touch()

    @staticmethod
    def _own(path: Path, mode: int, make: Any = None) -> None:
        if make:
            make()
        os.chown(path, 0, USER)
        path.chmod(mode)

    def configure(self, **variables: Any) -> None:
        """Write the configuration, with other variables than before."""
        self.variables |= variables
        for name in rendering.keys("__ollama_gateway_configuration"):
            text = rendering.render(f"{name}.j2", **self.variables)
            self.put(
                self.folder / "conf" / name, text.replace("worker_processes auto", f"worker_processes {self.workers}")
            )
        for name, text in rendering.value("__ollama_gateway_remote_files", **self.variables).items():
            self.put(self.folder / "conf" / name, text)

    def put(self, path: Path, text: str) -> None:
        """Replace a file as Ansible does, by rename."""
        new = path.with_name(path.name + ".new")
        new.write_text(text)
        self._own(new, 0o640)
        new.rename(path)

    def write(self, name: str, lines: list[str]) -> None:
        """Replace a file of clients."""
        self.put(self.folder / "clients" / name, "".join(line + "\n" for line in lines))

    def present(self, issued: Issued, authority: Authority) -> None:
        """Show this certificate from the next connection on; speak to the gateway as somebody who trusts the CA."""
        self.put_certificate(self.folder / "tls" / "server.pem", issued)
        (self.folder / "ca.pem").write_text(authority.pem)
        self.tls = ssl.create_default_context(cadata=authority.pem)

    def choose_among(self, doors: dict[str, str], authority: Authority, name: str = "gateway-1") -> None:
        """Go to servers behind doors, by their names and addresses, as the gateway that this CA knows by a name."""
        listed = [{"name": one, "address": address} for one, address in doors.items()]
        self.configure(ollama_gateway_doors=listed, __ollama_gateway_door_certificate={"ca": authority.pem})
        issued = authority.issue(subject=f"CN={name}", client=True)
        self.put_certificate(self.folder / "tls" / "door.pem", issued)

    def put_certificate(self, path: Path, issued: Issued) -> None:
        """Replace a key and its certificate by rename."""
        new = path.with_suffix(".new")
        new.write_text(issued.key_pem + issued.pem)
        os.chown(new, USER, USER)
        new.chmod(0o600)
        new.rename(path)

    @property
    def ledger(self) -> Path:
        """The folder of the files that tell who used how much."""
        return self.folder / "state" / "usage"

    @property
    def image(self) -> str:
        return str(rendering.value("__ollama_gateway_engine", **self.variables))

    def start(self) -> None:
        """Run a container like that of the role, with the network of this machine."""
        client = engine.client()
        program = rendering.value("__ollama_gateway_program", **self.variables)
        self.container = client.containers.run(
            images.build(client, self.image),
            ["-c", "/etc/gatehouse/conf/nginx.conf"],
            entrypoint=[program],
            network_mode="host",
            user=f"{USER}:{USER}",
            read_only=True,
            tmpfs={"/tmp": self.tmpfs},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            volumes={
                str(self.ledger): {"bind": "/etc/gatehouse/state", "mode": "rw"},
                **{
                    str(self.folder / name): {"bind": f"/etc/gatehouse/{name}", "mode": "ro"}
                    for name in ("conf", "lua", "page", "clients", "tls", "acme")
                },
            },
            labels={LABEL: "component"},
            detach=True,
        )
        assert until(self.answers, 20), self.logs()

    def stop(self) -> None:
        if self.container is not None:
            self.container.remove(force=True)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        try:
            self.start()
            yield
        finally:
            self.stop()

    def restart(self) -> None:
        """As Docker does after a reboot: nothing in memory is left."""
        assert self.container is not None
        self.container.restart(timeout=5)
        assert until(self.answers, 20), self.logs()

    def reload(self) -> None:
        assert self.container is not None
        self.container.kill("HUP")

    def processes(self, name: str = "") -> list[int]:
        """The ids of the processes of the container, on this machine; of those with `name` in their command."""
        assert self.container is not None
        return [int(row[1]) for row in self.container.top()["Processes"] if name in row[-1]]

    def answers(self) -> bool:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return status(self.ask("/healthz")) == 200
        return False

    def test(self) -> subprocess.CompletedProcess[str]:
        """What the role's test of a new configuration makes of the files."""
        (self.folder / "staging").symlink_to(self.folder)
        image = {f"ollama_gateway_{self.image}_image": images.build(engine.client(), self.image)}
        variables = {**self.variables, **image, "ollama_gateway_dir": str(self.folder)}
        command = rendering.value("__ollama_gateway_test_command", **variables)
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        finally:
            (self.folder / "staging").unlink()

    def logs(self) -> str:
        assert self.container is not None
        return str(self.container.logs().decode("utf-8", "replace"))

    def log_of(self, request_id: str | None) -> dict[str, Any]:
        """The line of the access log about a request."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            lines = [line for line in self.logs().splitlines() if f'"request_id":"{request_id}"' in line]
            found.extend(json.loads(line) for line in lines)
            return bool(found)

        assert until(look), self.logs()
        return found[0]

    def used(self, request_id: str | None) -> dict[str, Any]:
        """The line of the ledger about a request."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found.extend(line for line in self.ledger_lines() if line["request_id"] == request_id)
            return bool(found)

        assert until(look), self.logs()
        assert len(found) == 1
        return found[0]

    def ledger_lines(self) -> list[dict[str, Any]]:
        """The lines that are whole: one may just be written, and an empty one is what came of that before."""
        lines = [line for day in sorted(self.ledger.glob("*.jsonl")) for line in day.open(encoding="utf-8")]
        return [json.loads(line) for line in lines if line.endswith("\n") and line != "\n"]

    def ask(
        self, path: str = "/api/tags", *headers: str | bytes, method: str = "GET", body: bytes | None = None
    ) -> Reply:
        """Send one request with exactly these header lines."""
        return send(self.address, self.wire(path, *headers, method=method, body=body), method, tls=self.tls)

    def wire(self, path: str, *headers: str | bytes, method: str = "GET", body: bytes | None = None) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.address}", *headers]
        lines += [f"Content-Length: {len(body)}"] if body is not None else []
        return (
            b"\r\n".join(line.encode() if isinstance(line, str) else line for line in lines)
            + b"\r\n\r\n"
            + (body or b"")
        )

    def status(self, credential: str | bytes | None = None, path: str = "/api/tags") -> int:
        """The status with this Authorization header, or with none."""
        value = credential.encode() if isinstance(credential, str) else credential
        return status(self.ask(path, *([b"Authorization: " + value] if value is not None else [])))

    def credential(self) -> str:
        """A header value that lets in."""
        return basic("alice", PASSWORDS["alice"]) if self.auth == "basic" else "Bearer " + KEYS["alice.laptop"]


def status(reply: Reply) -> int:
    return int(reply.status_line.split(" ")[1])


@contextlib.contextmanager
def gateway(folder: Path, auth: str, *upstreams: str, **variables: Any) -> Iterator[Gateway]:
    """A running gateway; its name for a keyword of the template is the variable's."""
    server = Gateway(folder, auth, *upstreams, **variables)
    with server.running():
        yield server


__all__ = ["KEYS", "PASSWORDS", "Gateway", "basic", "connect", "gateway", "record", "status"]
