# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Valkey on loopback, with TLS and the rights that the role gives to gateways, and its sentinels."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from tests.certificates import Authority
from tests.component import rendering
from tests.component.contract.standins import free_port, until
from tests.component.gateways import Gateway
from tests.lab import engine, images
from tests.lab.base import LABEL

USER = 60883
NAME, PASSWORD = "gatehouse-state", "store-password"
ROOT_PASSWORD = "test-of-everything"
VALKEY = rendering.ROLES / "valkey"


class Valkey:
    """A Valkey in a container. `address` is where gateways reach it; what it keeps is in `folder`."""

    program = "valkey-server"

    def __init__(self, folder: Path, authority: Authority | None = None, **more: str) -> None:
        self.authority = authority or Authority("Gatehouse door CA")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.folder = folder
        self.container: Container | None = None
        folder.mkdir(parents=True, exist_ok=True)
        issued = self.authority.issue(NAME)
        (folder / "server.pem").write_text(issued.key_pem + issued.pem)
        (folder / "ca.pem").write_text(self.authority.pem)
        commands = rendering.value("__valkey_gateway_commands", VALKEY)
        rights = " ".join(f"+{one}" for one in commands)
        (folder / "users.acl").write_text(
            "user default off\n"
            f"user gatehouse on >{PASSWORD} resetchannels ~gatehouse:* -@all {rights}\n"
            f"user root on >{ROOT_PASSWORD} ~* &* +@all\n"
        )
        (folder / "store.conf").write_text("\n".join(self.lines(**more)) + "\n")
        for path in (folder, *folder.iterdir()):
            os.chown(path, USER, USER)

    def lines(self, **more: str) -> list[str]:
        """Its configuration."""
        settings = {
            "port": "0",
            "tls-port": str(self.port),
            "bind": "127.0.0.1",
            "tls-cert-file": "/data/server.pem",
            "tls-key-file": "/data/server.pem",
            "tls-ca-cert-file": "/data/ca.pem",
            "tls-auth-clients": "no",
            "tls-replication": "yes",
            "aclfile": "/data/users.acl",
            "dir": "/data",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
        }
        return [f"{name} {value}" for name, value in {**settings, **more}.items()]

    def start(self) -> None:
        client = engine.client()
        self.container = client.containers.run(
            images.build(client, "valkey"),
            [self.program, "/data/store.conf"],
            network_mode="host",
            user=f"{USER}:{USER}",
            volumes={str(self.folder): {"bind": "/data", "mode": "rw"}},
            labels={LABEL: "component"},
            detach=True,
        )
        assert until(self.answers, 20), self.container.logs().decode()

    def answers(self) -> bool:
        return self.run("PING") == "PONG"

    def run(self, *command: str) -> str:
        """What it says to somebody who may do everything."""
        assert self.container is not None
        login = ["--no-auth-warning", "--user", "root", "--pass", ROOT_PASSWORD]
        tls = ["--tls", "--cacert", "/data/ca.pem", "--sni", NAME]
        result = self.container.exec_run(["valkey-cli", "-p", str(self.port), *tls, *login, *command])
        return str(result.output.decode()).strip()

    def value(self, key: str, field: str) -> int:
        """A number of a hash, 0 if there is none."""
        return int(self.run("HGET", f"gatehouse:{key}", field) or 0)

    def restart(self) -> None:
        """As after a failure: what it had not written is gone."""
        assert self.container is not None
        self.container.start()
        assert until(self.answers, 20), self.container.logs().decode()

    def kill(self) -> None:
        assert self.container is not None
        self.container.kill()

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """It takes connections and says nothing (SIGSTOP)."""
        assert self.container is not None
        self.container.pause()
        try:
            yield
        finally:
            self.container.unpause()

    def remove(self) -> None:
        if self.container is not None:
            self.container.remove(force=True)


class Sentinel(Valkey):
    """A sentinel that watches one master, and alone may name another."""

    program = "valkey-sentinel"

    def __init__(self, folder: Path, master: Valkey) -> None:
        self.master = master
        super().__init__(folder, master.authority)
        (folder / "users.acl").write_text(
            "user default off\n"
            f"user gatehouse on >{PASSWORD} resetchannels -@all +auth +hello +ping +sentinel|get-master-addr-by-name\n"
            f"user root on >{ROOT_PASSWORD} &* +@all\n"
        )

    def lines(self, **more: str) -> list[str]:
        own = {"port", "tls-port", "bind", "tls-cert-file", "tls-key-file", "tls-ca-cert-file", "tls-auth-clients"}
        own |= {"tls-replication", "aclfile", "dir"}
        lines = [line for line in super().lines(**more) if line.partition(" ")[0] in own]
        return [
            *lines,
            f"sentinel monitor gatehouse 127.0.0.1 {self.master.port} 1",
            f"sentinel auth-user gatehouse root\nsentinel auth-pass gatehouse {ROOT_PASSWORD}",
            "sentinel down-after-milliseconds gatehouse 1000\nsentinel failover-timeout gatehouse 5000",
        ]


def replica_of(master: Valkey, folder: Path) -> Valkey:
    """Another one that has what this one has."""
    login = {"masteruser": "root", "masterauth": ROOT_PASSWORD}
    return Valkey(folder, master.authority, replicaof=f"127.0.0.1 {master.port}", **login)


@contextlib.contextmanager
def valkey(folder: Path, **more: Any) -> Iterator[Valkey]:
    one = Valkey(folder, **more)
    try:
        one.start()
        yield one
    finally:
        one.remove()


def variables(store: Valkey, name: str = "gateway-1", **more: Any) -> dict[str, Any]:
    """Those of a gateway that shares limits there."""
    return {
        "inventory_hostname": name,
        "ollama_gateway_valkey": [store.address],
        "ollama_gateway_valkey_master": "gatehouse" if isinstance(store, Sentinel) else "",
        "__ollama_gateway_door_certificate": {"ca": store.authority.pem},
        **more,
    }


def present_password(gateway: Gateway, password: str = PASSWORD) -> None:
    """Let a gateway be who it says it is."""
    gateway.put(gateway.folder / "tls" / "valkey.password", password + "\n")


def day() -> str:
    """Today, as ledgers and the store call it."""
    return time.strftime("%Y-%m-%d", time.gmtime())
