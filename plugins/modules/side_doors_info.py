#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: side_doors_info
short_description: List where the servers of a Compose project could be reached past their gateway
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Lists the addresses of the host and of the project's containers with the port of the server and with every port that
    the project publishes, and by what the servers can be known again. Whether one of them answers there is a question
    for M(gatehouse.ollama.wall).
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
options:
  project:
    description: The Compose project.
    type: str
    required: true
  addresses:
    description: The addresses of the host, IPv4 and IPv6.
    type: list
    elements: str
    required: true
  port:
    description: The port of the server.
    type: int
    default: 11434
seealso:
  - module: gatehouse.ollama.wall
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: List what could be a side door
  gatehouse.ollama.side_doors_info:
    project: gatehouse-ollama
    addresses: "{{ ansible_facts.all_ipv4_addresses }}"
  register: doors
"""

RETURN = r"""
here:
  description: For an attack from the host itself, in the form of O(gatehouse.ollama.wall#module:side_doors).
  returned: success
  type: list
  elements: dict
  sample: [{"host": "127.0.0.1", "port": 11434, "place": "here"}]
elsewhere:
  description: The same for an attack from any other host.
  returned: success
  type: list
  elements: dict
  sample: [{"host": "192.0.2.10", "port": 11434, "place": "host"}]
servers:
  description: What the project's servers say of themselves, in the form of O(gatehouse.ollama.wall#module:servers).
  returned: success
  type: list
  elements: dict
  sample: [{"version": "0.32.15", "models": ["2026-11-25T12:00:00.123456789Z sha256-digest"]}]
"""

import ipaddress
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import namespace
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker, DockerError
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.client import Client, Endpoint
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.place import Container, choose
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks.doors import model

# For a short answer of a server that may be busy.
TIMEOUT = 30.0
LOOPBACK = ("127.0.0.1", "::1")


def published(containers: list[dict[str, t.Any]]) -> set[int]:
    """The ports of the host that lead to the containers, as `docker inspect` describes them."""
    bindings = [b for c in containers for b in (c["NetworkSettings"]["Ports"] or {}).values() if b]
    return {int(one["HostPort"]) for several in bindings for one in several}


def container_addresses(containers: list[dict[str, t.Any]]) -> set[str]:
    """The addresses of the containers, as `docker inspect` describes them."""
    networks = [n for c in containers for n in (c["NetworkSettings"]["Networks"] or {}).values()]
    return {n[key] for n in networks for key in ("IPAddress", "GlobalIPv6Address") if n.get(key)}


def bridge_addresses(networks: list[dict[str, t.Any]]) -> set[str]:
    """The addresses of the host in its Docker networks, as `docker network inspect` describes them."""
    configs = [config for network in networks for config in (network.get("IPAM") or {}).get("Config") or []]
    return {config["Gateway"].split("/")[0] for config in configs if config.get("Gateway")}


def doors(addresses: t.Iterable[str], ports: set[int], place: str) -> list[dict[str, t.Any]]:
    """Every address with every port, but for addresses that need an interface to be named."""
    usable = sorted({one for one in addresses if not ipaddress.ip_address(one.split("%")[0]).is_link_local})
    return [dict(host=address, port=port, place=place) for address in usable for port in sorted(ports)]


def identity(client: Client) -> dict[str, t.Any]:
    """By what a server can be known again: nobody else has the same models since the same nanosecond."""
    models = [model(str(one.get("modified_at")), str(one.get("digest"))) for one in client.tags()]
    return dict(version=client.version(), models=sorted(models))


def asked(server: Container) -> Client:
    """A client that asks the server where nobody else can, inside its container."""
    return Client(
        Endpoint(server.address, server.port),
        timeout=TIMEOUT,
        dial=lambda timeout: namespace.connect(server.pid, server.address, server.port, timeout),
        name="Ollama in the container %s" % server.name,
    )


def identities(containers: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Those of all servers among the containers, as `docker inspect` describes them. Raises GatehouseError."""
    servers = (choose([one], None) for one in containers)
    return [identity(asked(one)) for one in servers if one is not None]


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            project=dict(type="str", required=True),
            addresses=dict(type="list", elements="str", required=True),
            port=dict(type="int", default=11434),
        ),
        supports_check_mode=True,
    )
    docker = Docker(module)
    try:
        containers = docker.containers(module.params["project"])
        bridges = bridge_addresses(docker.inspect("network", *docker.read("network", "ls", "--quiet").split()))
        servers = identities(containers)
    except DockerError as error:
        module.fail_json(msg="%s." % error)
    except GatehouseError as error:
        module.fail_json(msg="It cannot be told by what the server could be known again: %s." % error)
    if not servers:
        module.fail_json(msg="No server of the Compose project %s runs on this host." % module.params["project"])
    inner = container_addresses(containers)
    own = {module.params["port"]}
    ports = own | published(containers)
    addresses = set(module.params["addresses"]) | set(LOOPBACK)
    outer = {one for one in addresses - bridges if not ipaddress.ip_address(one.split("%")[0]).is_loopback}
    module.exit_json(
        changed=False,
        here=doors(addresses, ports, "here") + doors(inner, own, "here"),
        elsewhere=doors(outer, ports, "host")
        + doors(addresses & bridges, ports, "network")
        + doors(inner, own, "network"),
        servers=servers,
    )


if __name__ == "__main__":
    main()
