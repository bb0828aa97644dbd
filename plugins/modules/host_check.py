#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_check
short_description: Check that a host can run a Compose project
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Fails with a clear error where Docker is missing or down, where Compose v2 is missing, or where a port that a
    Compose project is going to publish is taken by something else than this project.
  - Changes nothing.
options:
  required:
    description:
      - Whether a host without Docker is an error. In check mode it never is, because another role may be
        about to install Docker.
    type: bool
    default: true
  project:
    description: The Compose project that is to run, and may already hold the ports.
    type: str
  ports:
    description: The addresses and ports that the project is going to publish.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: An IPv4 or IPv6 address of the host.
        type: str
        required: true
      port:
        description: A TCP port.
        type: int
        required: true
      variable:
        description: The variable to name in errors about the port.
        type: str
        required: true
      address_variable:
        description: The variable to name in errors about this address.
        type: str
  paths:
    description: Paths to look for.
    type: list
    elements: path
    default: []
  shared_addresses:
    description: Addresses that another host may have at the moment, which is no error.
    type: list
    elements: str
    default: []
  address_variable:
    description: The variable to name in errors about an address. If left out, that of the port is named.
    type: str
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
attributes:
  check_mode:
    description: Checks the same in check mode. There, an engine that is absent, down or without Compose is no error.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Check that Docker answers and the port is free
  gatehouse.ollama.host_check:
    project: gatehouse-gateway
    ports:
      - address: 127.0.0.1
        port: 8880
        variable: ollama_gateway_port
  register: host
"""

RETURN = r"""
engine:
  description:
    - V(ready) if Docker answers and has Compose v2.
    - V(absent) if it is not installed, and V(down) if its daemon does not answer or Compose v2 is missing. These are
      returned only where they are no error.
  type: str
  returned: success
engine_version:
  description: Version of the Docker Engine, empty if it does not answer.
  type: str
  returned: success
images:
  description: Numbers of the images from which containers of O(project) run.
  type: list
  elements: str
  returned: success
healthy:
  description: Services of O(project) of which each container that runs is healthy.
  type: list
  elements: str
  returned: success
folder:
  description: Where the C(compose.yaml) of the newest container of O(project) is, running or not; empty without one.
  type: str
  returned: success
ports:
  description: As O(ports), to tell later what was looked at.
  type: list
  elements: dict
  returned: success
paths:
  description: Those of O(paths) that are there.
  type: list
  elements: str
  returned: success
"""

import errno
import ipaddress
import json
import os
import re
import socket
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

# 127.0.0.1:8880->8080/tcp, [::1]:8880->8080/tcp, :::8000-8001->8000-8001/tcp
PUBLISHED = re.compile(r"\[?([0-9A-Fa-f:.]+?)\]?:(\d+)(?:-(\d+))?->[\d-]+/tcp")


class HostError(GatehouseError):
    """The host cannot run the project; the text says why and what would be right."""


def is_any(address: str) -> bool:
    """Whether this stands for all addresses of a host: 0.0.0.0 or ::"""
    return ipaddress.ip_address(address).is_unspecified


class Container(t.NamedTuple):
    name: str
    project: str
    published: list[tuple[str, int, int]]
    image: str
    service: str
    status: str
    folder: str = ""

    @property
    def is_there(self) -> bool:
        """Whether it runs, is paused or about to be started again."""
        return not self.status.startswith(("Created", "Exited", "Removal", "Dead"))

    @property
    def is_healthy(self) -> bool:
        return self.status.endswith("(healthy)")

    def publishes(self, address: str, port: int) -> bool:
        return any(
            first <= port <= last and (host == address or is_any(host) or is_any(address))
            for host, first, last in self.published
        )


def parse_containers(text: str) -> list[Container]:
    """Read lines of name, Compose project, published ports, image, service, status and folder, parted by tabs."""
    containers = []
    for line in text.splitlines():
        name, project, ports, image, service, status, folder = [*line.split("\t"), *[""] * 6][:7]
        published = [(host, int(first), int(last or first)) for host, first, last in PUBLISHED.findall(ports)]
        containers.append(Container(name, project, published, image, service, status, folder))
    return containers


def bind_error(address: str, port: int) -> int:
    """Return why the host refuses to listen there, as an errno; 0 if it does not."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as s:
        # As servers do: connections that are only winding down do not hold the port.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((address, port))
        except OSError as e:
            return e.errno or 0
    return 0


class HostCheck:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.docker = Docker(module)

    def engine(self) -> tuple[str, str]:
        """Return the state of the engine and its version."""
        if not self.docker.is_installed:
            if self.module.params["required"] and not self.module.check_mode:
                raise HostError(
                    "Docker is not installed on this host. The role gatehouse.ollama.docker_engine installs it."
                )
            return "absent", ""
        answer = self.docker.run("version", "--format", "{{json .}}")
        try:
            server = json.loads(answer.stdout).get("Server") or {}
        except ValueError:
            server = {}
        if answer.rc == 0 and server:
            return "ready", str(server.get("Version", ""))
        self.refuse(
            f"Docker is installed but its daemon does not answer ({answer.error}). "
            "On the host, `systemctl status docker` and `journalctl -u docker` say why."
        )
        return "down", ""

    def has_compose(self) -> bool:
        answer = self.docker.run("compose", "version", "--short")
        if answer.rc != 0:
            self.refuse(
                "Docker is installed without Compose v2: `docker compose version` fails. Install docker-compose-plugin "
                "(Docker's repository), docker-compose (Debian 13) or docker-compose-v2 (Ubuntu), or let the role "
                "gatehouse.ollama.docker_engine do it."
            )
        return answer.rc == 0

    def refuse(self, error: str) -> None:
        """Fail; in check mode warn, because an earlier role may be about to repair it."""
        if not self.module.check_mode:
            raise HostError(error)
        self.module.warn(f"{error} A real run stops here, unless that is repaired by then.")

    def containers(self) -> list[Container]:
        names = ("project", "image", "service", "project.working_dir")
        project, image, service, folder = ['{{.Label "com.docker.compose.%s"}}' % name for name in names]
        columns = "\t".join(["{{.Names}}", project, "{{.Ports}}", image, service, "{{.Status}}", folder])
        return parse_containers(self.docker.read("ps", "--all", "--no-trunc", "--format", columns))

    def port(
        self, address: str, port: int, variable: str, containers: list[Container], address_variable: str | None = None
    ) -> None:
        """Refuse what the project cannot publish there."""
        owners = [c for c in containers if c.publishes(address, port)]
        strangers = [c for c in owners if not c.project or c.project != self.module.params["project"]]
        if strangers:
            raise HostError(
                f"{variable}: port {port} on {address} is taken by the container {strangers[0].name}. "
                "Choose another port, or stop that container."
            )
        error = bind_error(address, port)
        if error == errno.EADDRNOTAVAIL and address not in self.module.params["shared_addresses"]:
            culprit = address_variable or self.module.params["address_variable"] or variable
            raise HostError(f"{culprit}: {address} is not an address of this host. Use one that it has.")
        if error == errno.EADDRINUSE and not owners:
            raise HostError(
                f"{variable}: port {port} on {address} is taken by another program. Choose another port, or stop "
                f"that program: on the host, `ss -ltnp 'sport = :{port}'` shows it."
            )


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            required=dict(type="bool", default=True),
            project=dict(type="str"),
            ports=dict(
                type="list",
                elements="dict",
                default=[],
                options=dict(
                    address=dict(type="str", required=True),
                    port=dict(type="int", required=True),
                    variable=dict(type="str", required=True),
                    address_variable=dict(type="str"),
                ),
            ),
            paths=dict(type="list", elements="path", default=[]),
            shared_addresses=dict(type="list", elements="str", default=[]),
            address_variable=dict(type="str"),
        ),
        supports_check_mode=True,
    )
    check = HostCheck(module)
    try:
        engine, engine_version = check.engine()
        if engine == "ready" and not check.has_compose():
            engine = "down"
        found = check.containers() if engine == "ready" else []
        containers = [c for c in found if c.is_there]
        for entry in module.params["ports"]:
            check.port(entry["address"], entry["port"], entry["variable"], containers, entry["address_variable"])
    except GatehouseError as e:
        module.fail_json(msg=str(e))
    own = [c for c in containers if c.project and c.project == module.params["project"]]
    module.exit_json(
        changed=False,
        engine=engine,
        engine_version=engine_version,
        images=[c.image for c in own if c.image],
        healthy=sorted({c.service for c in own} - {c.service for c in own if not c.is_healthy}),
        # The newest comes first.
        folder=next((c.folder for c in found if c.folder and c.project == module.params["project"]), ""),
        ports=[{name: value for name, value in entry.items() if value is not None} for entry in module.params["ports"]],
        paths=[path for path in module.params["paths"] if os.path.exists(path)],
    )


if __name__ == "__main__":
    main()
