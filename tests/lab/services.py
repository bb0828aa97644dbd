# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts draw from: the network, the registry with the roles' images and models, packages, ACME servers."""

from __future__ import annotations

import ssl
import urllib.request
from contextlib import suppress

import docker
from docker.errors import APIError, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.types import EndpointConfig, IPAMConfig, IPAMPool

from tests.lab import images, models
from tests.lab.base import (
    ACME,
    ACME_ADDRESS,
    ACME_CA,
    GATEWAY,
    INNER_SUBNET,
    LABEL,
    NETWORK,
    PACKAGE_KEYS,
    PACKAGES,
    PACKAGES_ADDRESS,
    REGISTRY,
    REGISTRY_ADDRESS,
    SUBNET,
    LabError,
    run,
    say,
    wait_for,
)

# On the registry's container: whose images it serves, so that a registry far away is asked once only.
OFFICIAL_LABEL = "gatehouse.lab.official"
STANDIN_LABEL = "gatehouse.lab.standin"
# In the container of the packages, by the name that a key gets in PACKAGE_KEYS.
PACKAGE_KEY_PATHS = {"docker.asc": "/srv/linux/debian/gpg", "nvidia.asc": "/srv/libnvidia-container/gpgkey"}


def network(client: docker.DockerClient) -> None:
    """The lab's network, on its fixed subnet, and the end of what is sent to the networks inside the hosts."""
    run(["ip", "route", "replace", "blackhole", str(INNER_SUBNET)], f"{INNER_SUBNET} cannot be kept on this machine")
    try:
        found = client.networks.get(NETWORK)
    except NotFound:
        ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=str(SUBNET), gateway=GATEWAY)])
        try:
            client.networks.create(NETWORK, driver="bridge", ipam=ipam, labels={LABEL: "network"})
        except APIError as error:
            raise LabError(f"network {NETWORK} ({SUBNET}) cannot be made: {error.explanation}") from error
        return
    subnets = [pool.get("Subnet") for pool in found.attrs["IPAM"]["Config"]]
    if subnets != [str(SUBNET)]:
        raise LabError(f"network {NETWORK} exists with subnet {subnets}, not {SUBNET}; please remove it")


def _service(
    client: docker.DockerClient, name: str, address: str, image: str, port: int, labels: dict[str, str]
) -> Container:
    """A running container of the lab's own, of the image's present version, its port on this machine's loopback."""
    try:
        found = client.containers.get(name)
        if found.labels.get(LABEL) is None:
            raise LabError(f"a container {name} exists that the lab did not make; please remove it")
        if found.image.id == client.images.get(image).id and labels.items() <= found.labels.items():
            if found.status != "running":
                found.start()
                found.reload()
            return found
        found.remove(force=True, v=True)
    except NotFound:
        pass
    say(f"starting {name}")
    container = client.containers.create(
        image,
        name=name,
        network=NETWORK,
        networking_config={NETWORK: EndpointConfig(client.api._version, ipv4_address=address)},
        ports={f"{port}/tcp": ("127.0.0.1", None)},
        labels={LABEL: "service", **labels},
    )
    container.start()
    container.reload()
    return container


def _url(container: Container, port: int) -> str:
    """The service as this machine reaches it, when it answers."""
    bindings = container.attrs["NetworkSettings"]["Ports"][f"{port}/tcp"]
    url = f"http://127.0.0.1:{bindings[0]['HostPort']}"
    _wait_for_answer(str(container.name), url + "/")
    return url


def _wait_for_answer(name: str, url: str, context: ssl.SSLContext | None = None) -> None:
    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2, context=context) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    wait_for(f"{name} does not answer at {url}", answers, 30)


def registry(client: docker.DockerClient, official: bool | None, standin: bool | None) -> str:
    """The registry with everything that hosts pull, under the official names; says whose images those are.

    `official`: the official images or the lab's own; by default the official ones where their registry answers.
    `standin`: the stand-in for Ollama or Ollama itself; by default the stand-in, on whose models the tests rely.
    What a running registry serves stays unless asked otherwise.
    """
    serves = _serves(client)
    if official is None:
        official = serves[OFFICIAL_LABEL] == "yes" if serves else _registry_answers(client)
    if standin is None:
        standin = serves[STANDIN_LABEL] == "yes" if serves else True
    labels = {OFFICIAL_LABEL: "yes" if official else "no", STANDIN_LABEL: "yes" if standin else "no"}
    container = _service(client, REGISTRY, REGISTRY_ADDRESS, images.build(client, "registry"), 5000, labels)
    url = _url(container, 5000)
    for service in images.SERVICES:
        name = images.official_name(service)
        own = standin if service == "ollama" else not official
        _push(client, images.build(client, service) if own else _pulled(client, name), name, url)
    models.push(url)
    return ("official images" if official else "the lab's images") + (", Ollama's stand-in" if standin else ", Ollama")


def _serves(client: docker.DockerClient) -> dict[str, str] | None:
    """The labels of the registry's container, if there is one of the lab's."""
    with suppress(NotFound):
        labels: dict[str, str] = client.containers.get(REGISTRY).labels
        if labels.keys() >= {OFFICIAL_LABEL, STANDIN_LABEL}:
            return labels
    return None


def _registry_answers(client: docker.DockerClient) -> bool:
    """Whether the official images can be had from here; asks for one image's digest, with little patience."""
    probe = docker.from_env(timeout=10)
    try:
        probe.images.get_registry_data(images.official_name("nginx"))
    except (APIError, OSError):
        return False
    finally:
        probe.close()
    return True


def _pulled(client: docker.DockerClient, name: str) -> str:
    try:
        client.images.get(name)
    except ImageNotFound:
        say(f"pulling {name}")
        try:
            client.images.pull(name)
        except APIError as error:
            raise LabError(f"{name} cannot be pulled: {error.explanation}") from error
    return name


def _push(client: docker.DockerClient, image: str, official_name: str, url: str) -> None:
    """Put a local image into the registry under its official name; nothing is sent that is there."""
    name, _colon, tag = official_name.removeprefix("docker.io/").rpartition(":")
    # An image of Docker Hub without a namespace is one of library/.
    repository = name if "/" in name else f"library/{name}"
    # Through loopback: the engine takes it for a registry without TLS, whatever its configuration.
    target = f"{url.removeprefix('http://')}/{repository}"
    client.images.get(image).tag(target, tag)
    try:
        for line in client.images.push(target, tag, stream=True, decode=True):
            if "error" in line:
                raise LabError(f"{official_name} cannot be pushed to {REGISTRY}: {line['error']}")
    finally:
        client.images.remove(f"{target}:{tag}", noprune=True)


def packages(client: docker.DockerClient) -> str:
    """Signed apt repositories laid out like Docker's and NVIDIA's; returns their address for hosts.

    It begins with http: the keys that they are signed with are left in PACKAGE_KEYS, for the roles to be given.
    """
    image = images.build(client, "packages")
    container = _service(client, PACKAGES, PACKAGES_ADDRESS, image, 80, {})
    _url(container, 80)
    PACKAGE_KEYS.mkdir(parents=True, exist_ok=True)
    for name, path in PACKAGE_KEY_PATHS.items():
        _code, key = container.exec_run(["cat", path])
        (PACKAGE_KEYS / name).write_bytes(key)
    return f"http://{PACKAGES_ADDRESS}"


def acme(client: docker.DockerClient) -> str:
    """ACME servers that reach the hosts: a plain one, one that wants accounts bound, one of short certificates.

    Their directories are at ports 14000, 14001 and 14002, their roots at 15000, 15001 and 15002 (/roots/0). Returns the
    address. A host is known to them by its name and `.gatehouse-lab`.
    """
    container = _service(client, ACME, ACME_ADDRESS, images.build(client, "acme"), 14000, {})
    _code, certificate = container.exec_run(["cat", "/etc/pebble/ca.pem"])
    ACME_CA.parent.mkdir(parents=True, exist_ok=True)
    ACME_CA.write_bytes(certificate)
    context = ssl.create_default_context(cafile=str(ACME_CA))
    for port in (14000, 14001, 14002):
        _wait_for_answer(ACME, f"https://{ACME_ADDRESS}:{port}/dir", context)
    return ACME_ADDRESS
