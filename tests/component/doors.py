# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doors on loopback: the configuration and Lua modules of ollama_server in the lab's OpenResty container."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from tests.certificates import Authority, Issued
from tests.component import rendering
from tests.component.contract.replay import Reply, connect, send
from tests.component.contract.standins import free_port, until
from tests.lab import engine, images
from tests.lab.base import LABEL

USER = 60882
# What all doors are called in their certificates.
NAME = "gatehouse-door"
# Long ago, and in a far future.
ALWAYS: dict[str, float] = {"since": 1, "until": 4_000_000_000}


class Context(ssl.SSLContext):
    """How to speak to a door, whatever the address is at which it is reached."""

    def wrap_socket(self, sock: Any, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, *arguments, **{**options, "server_hostname": NAME})


class Door:
    """A door in front of `upstreams`, each a server of its own with an address; files are in `folder`, as the role has
    them.
    """

    def __init__(
        self,
        folder: Path,
        upstreams: Sequence[str],
        gateways: Sequence[str] = ("gateway-1",),
        capacity: int = 4,
        authority: Authority | None = None,
        **variables: Any,
    ) -> None:
        self.folder = folder
        # Signs the certificates of doors and gateways.
        self.authority = authority or Authority("Gatehouse door CA")
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in upstreams]
        # What `docker exec` reaches in a real one.
        self.inside = [f"127.0.0.1:{free_port()}" for _ in upstreams]
        self.container: Container | None = None
        self.plan = {
            "door": [
                {
                    "service": f"ollama-{number}",
                    "upstream": upstream,
                    "listen": self.addresses[number],
                    "status": self.inside[number],
                    "capacity": capacity,
                }
                for number, upstream in enumerate(upstreams)
            ],
            "door_gateways": list(gateways),
        }
        self.variables = {"__ollama_server_plan": self.plan, **variables}
        folder.mkdir(exist_ok=True)
        for name in ("conf", "tls", "state"):
            (folder / name).mkdir()
        shutil.copytree(rendering.SERVER / "files" / "lua", folder / "lua")
        self.ca_pem.write_text(self.authority.pem)
        (folder / "conf" / "nginx.conf").write_text(
            rendering.render("door.conf.j2", rendering.SERVER, **self.variables)
        )
        self.present(self.authority.issue(NAME))
        for path in (folder, *folder.rglob("*")):
            self._own(path)
        # Of the first gateway: its key, then its certificate.
        self.client_pem = self.issue(gateways[0] if gateways else "nobody")
        self._contexts: dict[Path | None, Context] = {}

    @property
    def address(self) -> str:
        return self.addresses[0]

    @property
    def ca_pem(self) -> Path:
        return self.folder / "conf" / "ca.pem"

    @property
    def state(self) -> Path:
        """The folder of drain.json."""
        return self.folder / "state"

    @staticmethod
    def _own(path: Path) -> None:
        os.chown(path, 0, USER)
        path.chmod(0o750 if path.is_dir() else 0o640)

    def present(self, issued: Issued) -> None:
        """Show this certificate from the next connection on."""
        self._put(self.folder / "tls" / "server.pem", issued.key_pem + issued.pem)

    def _put(self, path: Path, text: str) -> None:
        new = path.with_name(path.name + ".new")
        new.write_text(text)
        self._own(new)
        new.rename(path)

    def issue(self, name: str, authority: Authority | None = None, **how: Any) -> Path:
        """The certificate of a gateway with that name, in a file behind its key."""
        return self.keep((authority or self.authority).issue(subject=f"CN={name}", **{"client": True, **how}))

    def keep(self, issued: Issued) -> Path:
        folder = self.folder.with_name(self.folder.name + "-clients")
        folder.mkdir(exist_ok=True)
        path = folder / f"{issued.certificate.serial_number:x}.pem"
        path.write_text(issued.key_pem + issued.pem)
        return path

    def tls(self, pem: Path | None) -> Context:
        """How to speak to it with that certificate, or with none."""
        if pem not in self._contexts:
            context = Context(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cadata=self.authority.pem)
            if pem:
                context.load_cert_chain(pem)
            self._contexts[pem] = context
        return self._contexts[pem]

    def drain(self, **spans: dict[str, float]) -> None:
        """Have it drained by these holders; by one for good, if none is given."""
        self._put(self.state / "drain.json", json.dumps(spans or {"test": ALWAYS}))

    def undrain(self) -> None:
        (self.state / "drain.json").unlink(missing_ok=True)

    def start(self) -> None:
        """Run a container like that of the role, with the network of this machine."""
        client = engine.client()
        self.container = client.containers.run(
            images.build(client, "openresty"),
            ["-c", "/etc/gatehouse/conf/nginx.conf"],
            entrypoint=["/usr/local/openresty/bin/openresty"],
            network_mode="host",
            user=f"{USER}:{USER}",
            read_only=True,
            tmpfs={"/tmp": ""},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            volumes={
                str(self.folder / name): {"bind": f"/etc/gatehouse/{name}", "mode": "ro"}
                for name in ("conf", "lua", "tls", "state")
            },
            labels={LABEL: "component"},
            detach=True,
        )
        assert until(self.answers, 20), self.logs()

    def stop(self) -> None:
        if self.container is not None:
            self.container.remove(force=True)

    def answers(self) -> bool:
        request = b"GET /healthz HTTP/1.0\r\n\r\n"
        with contextlib.suppress(OSError, ValueError, IndexError):
            return send(self.inside[0], request).status_line.startswith("HTTP/1.1 200")
        return False

    def logs(self) -> str:
        assert self.container is not None
        return str(self.container.logs().decode("utf-8", "replace"))

    def wire(self, path: str, *headers: str, method: str = "GET", body: bytes | None = None) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {NAME}", *headers]
        lines += [f"Content-Length: {len(body)}"] if body is not None else []
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")

    def ask(
        self,
        path: str = "/api/tags",
        *headers: str,
        method: str = "GET",
        body: bytes | None = None,
        server: int = 0,
        pem: Path | None = None,
    ) -> Reply:
        """Send one request as a gateway: the first one, or whose certificate `pem` is."""
        request = self.wire(path, *headers, method=method, body=body)
        return send(self.addresses[server], request, method, tls=self.tls(pem or self.client_pem))

    def connect(self, server: int = 0) -> ssl.SSLSocket:
        """A connection of the first gateway."""
        found = connect(self.addresses[server], self.tls(self.client_pem))
        assert isinstance(found, ssl.SSLSocket)
        return found

    def status(self, tags: str = "", server: int = 0) -> dict[str, Any]:
        """What it says of itself to a gateway."""
        reply = self.ask("/gatehouse/door" + (f"?tags={tags}" if tags else ""), server=server)
        assert reply.status_line == "HTTP/1.1 200 OK", reply
        found: dict[str, Any] = json.loads(reply.body)
        return found

    def in_flight(self, server: int = 0) -> dict[str, int]:
        found: dict[str, int] = self.status(server=server)["in_flight"]
        return found


@contextlib.contextmanager
def door(folder: Path, upstreams: Sequence[str], **options: Any) -> Iterator[Door]:
    """A running door; the options are those of Door."""
    found = Door(folder, upstreams, **options)
    try:
        found.start()
        yield found
    finally:
        found.stop()


__all__ = ["ALWAYS", "NAME", "Context", "Door", "door"]
