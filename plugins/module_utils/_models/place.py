# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the server that a module talks to: a container without any published port, or a URL."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import typing as t
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import namespace
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker, DockerError, name_of
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, ServerUnreachable
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.client import Client, Dial, Endpoint, read_url

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

Dict = t.Dict[str, t.Any]

DEFAULT_PORT = 11434
# Ollama itself gives up on a part of a download after 30 seconds without a byte, and tries it again.
STALL_TIMEOUT = 120
SERVICE = "ollama"

CONTAINER_OPTIONS: t.Dict[str, Dict] = dict(
    project=dict(type="str", default="gatehouse-ollama"),
    service=dict(type="str"),
)
PLACE_OPTIONS: t.Dict[str, Dict] = dict(
    **CONTAINER_OPTIONS,
    url=dict(type="str"),
    api_key=dict(type="str", no_log=True),
    ca_path=dict(type="path"),
    stall_timeout=dict(type="int", default=STALL_TIMEOUT),
)


class NoServer(ServerUnreachable):
    """There is no server yet."""


@dataclass(frozen=True)
class Container:
    """A container that runs a server. `mounts` are folders of the host by where the container sees them."""

    id: str
    name: str
    pid: int
    address: str
    port: int
    environment: t.Dict[str, str] = field(repr=False)
    mounts: t.Dict[str, str] = field(default_factory=dict)

    @property
    def models_mount(self) -> t.Optional[t.Tuple[str, t.Tuple[str, ...]]]:
        """A folder of the host, and the folders that lead from there to the models, as far as a mount tells."""
        home = self.environment.get("HOME") or "/root"
        inside = self.environment.get("OLLAMA_MODELS") or home + "/.ollama/models"
        above = [one for one in self.mounts if (inside + "/").startswith(one.rstrip("/") + "/")]
        if not above:
            return None
        closest = max(above, key=len)
        return self.mounts[closest], tuple(one for one in inside[len(closest) :].split("/") if one)

    @property
    def models_folder(self) -> t.Optional[str]:
        """The folder of the host that holds the models, as far as a mount tells."""
        return "/".join((self.models_mount[0], *self.models_mount[1])) if self.models_mount else None

    def connect(self, timeout: float) -> socket.socket:
        """A connection from inside its network. Raises OSError."""
        return namespace.connect(self.pid, self.address, self.port, timeout)


def listens_at(environment: t.Dict[str, str], networks: t.Dict[str, Dict]) -> t.Tuple[str, int]:
    """An address and the port on which a server listens, seen from inside its container.

    `networks` is what `docker inspect` says of the container's networks. Raises NoServer if nothing fits.
    """
    host, port = _read_host(environment.get("OLLAMA_HOST", ""))
    if host in ("", "localhost"):
        return "127.0.0.1", port
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            return "127.0.0.1" if address.version == 4 else "::1", port
        return str(address), port
    for network in networks.values():
        names = [*(network.get("Aliases") or []), *(network.get("DNSNames") or [])]
        own = network.get("IPAddress") or network.get("GlobalIPv6Address")
        if host in names and own:
            return str(own), port
    raise NoServer(f"OLLAMA_HOST of its container is {host}, which is no name of it in any network")


def _read_host(text: str) -> t.Tuple[str, int]:
    """Host and port of OLLAMA_HOST, as Ollama reads it; loopback if it is empty."""
    text = text.strip().strip("\"'")
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    default = {"http": 80, "https": 443}.get(scheme, DEFAULT_PORT)
    authority = rest.partition("/")[0]
    if not authority:
        return "127.0.0.1", default
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(authority.strip("[]"))), default
    parts = urlsplit("//" + authority)
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.hostname or "", default if port is None else port


def choose(inspected: t.List[Dict], service: t.Optional[str]) -> t.Optional[Container]:
    """The first by name of the running containers, as `docker inspect` describes them, that has this service.

    Without a service it is one called ollama, or `ollama-...`. Raises NoServer if it listens nowhere.
    """
    fitting = [one for one in inspected if (one.get("State") or {}).get("Running") and _is_server(one, service)]
    if not fitting:
        return None
    return read_container(min(fitting, key=lambda one: str(one.get("Name"))))


def read_container(one: Dict) -> Container:
    """A running container, as `docker inspect` describes it. Raises NoServer if it listens nowhere."""
    config = one.get("Config") or {}
    environment = dict(entry.partition("=")[::2] for entry in config.get("Env") or [])
    address, port = listens_at(environment, (one.get("NetworkSettings") or {}).get("Networks") or {})
    mounts = {str(mount.get("Destination")): str(mount.get("Source")) for mount in one.get("Mounts") or []}
    return Container(
        id=str(one.get("Id")),
        name=name_of(one),
        pid=int(one["State"]["Pid"]),
        address=address,
        port=port,
        environment=environment,
        mounts=mounts,
    )


def _is_server(one: Dict, wanted: t.Optional[str]) -> bool:
    name = str(((one.get("Config") or {}).get("Labels") or {}).get("com.docker.compose.service") or "")
    return name == wanted if wanted else name == SERVICE or name.startswith(SERVICE + "-")


def find_container(module: AnsibleModule) -> Container:
    """The container that the module's options name. Raises NoServer."""
    return Place(Docker(module), module.params["project"], module.params["service"]).container


class Place:
    """A server's container, looked up anew when it does not answer: a container that was replaced is found again."""

    def __init__(self, docker: Docker, project: str, service: t.Optional[str]) -> None:
        self._docker = docker
        self._project = project
        self._service = service
        self.container = self._find()

    def dial(self, timeout: float) -> socket.socket:
        try:
            return self.container.connect(timeout)
        except namespace.NamespaceError:
            raise
        except OSError:
            self.container = self._find()
            return self.container.connect(timeout)

    def _find(self) -> Container:
        if not self._docker.is_installed:
            raise NoServer("Docker is not installed on this host, so no Ollama runs in it; url names another server")
        try:
            container = choose(self._docker.containers(self._project), self._service)
        except DockerError as error:
            raise NoServer(str(error)) from None
        if container is None:
            wanted = f"the service {self._service}" if self._service else "a service ollama or ollama-..."
            raise NoServer(
                f"no container of the Compose project {self._project} with {wanted} runs on this host; deploy the "
                "server first, or give url"
            )
        return container


def client_of(container: Container, dial: Dial, timeout: float = 60.0) -> Client:
    endpoint = Endpoint(container.address, container.port)
    return Client(endpoint, timeout=timeout, dial=dial, name=f"Ollama in the container {container.name}")


def connect(module: AnsibleModule) -> t.Tuple[t.Optional[Client], t.Optional[Container]]:
    """A client of the server that the module's options name, once it answered, and its container if it is in one.

    Neither in check mode where there is none yet. Raises BadInput or ServerError.
    """
    try:
        client, place = _client(module)
        client.version()
        return client, place.container if place else None
    except NoServer as error:
        if not module.check_mode:
            raise
        module.warn(f"There is no server yet: {error}. All is shown as to be done.")
        return None, None


def _client(module: AnsibleModule) -> t.Tuple[Client, t.Optional[Place]]:
    options = module.params
    timeout = options["stall_timeout"]
    if timeout < 1:
        raise BadInput(["stall_timeout: it must be 1 or more"])
    if options["url"]:
        return Client(read_url(options["url"]), options["api_key"] or None, options["ca_path"], float(timeout)), None
    if options["api_key"] or options["ca_path"]:
        raise BadInput(["api_key and ca_path belong to url: a server in a container of this host asks for no key"])
    place = Place(Docker(module), options["project"], options["service"])
    return client_of(place.container, place.dial, float(timeout)), place
