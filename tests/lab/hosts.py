# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hosts: containers with systemd and room for a Docker Engine of their own."""

from __future__ import annotations

import re
from contextlib import suppress

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import EndpointConfig

from tests.lab import gpus, images
from tests.lab.base import FIRST_HOST_ADDRESS, LABEL, NETWORK, SSH_KEY, SUBNET, LabError, lock, run, say, wait_for


def create(
    client: docker.DockerClient,
    name: str,
    address: str | None = None,
    *,
    has_docker: bool = False,
    gpu_count: int = 0,
    driver: str = gpus.DRIVER,
) -> tuple[str, bool]:
    """A host that has booted; returns its address, and whether it was made now. A running one is left as it is.

    With `has_docker` Docker is installed there. With `gpu_count` it has so many stand-ins for NVIDIA GPUs, of that
    driver version.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise LabError(f"{name!r} is no host name: small letters, digits and hyphens only")
    with lock():
        container = _get(client, name)
        made = container is None
        if container is None:
            container = _start(client, name, _free_address(client, address), "docker_host" if has_docker else "host")
        elif container.status != "running":
            container.start()
    has = _address(container)
    if address not in (None, has):
        raise LabError(f"host {name} exists with address {has}, not {address}; `host destroy {name}` removes it")
    _wait_until_booted(container)
    _let_in(container)
    if made and gpu_count:
        gpus.install(container, gpu_count, driver)
    return has, made


def destroy(client: docker.DockerClient, name: str) -> bool:
    """Remove a host and its data; returns whether there was one."""
    found = _get(client, name)
    if found is not None:
        found.remove(force=True, v=True)
    with suppress(NotFound):
        client.volumes.get(_volume(name)).remove()
    return found is not None


def addresses(client: docker.DockerClient) -> dict[str, str]:
    """All hosts, running or not, with their addresses."""
    found = client.containers.list(all=True, filters={"label": f"{LABEL}=host"})
    return {container.name: _address(container) for container in sorted(found, key=lambda one: str(one.name))}


def _get(client: docker.DockerClient, name: str) -> Container | None:
    try:
        container = client.containers.get(name)
    except NotFound:
        return None
    if container.labels.get(LABEL) != "host":
        raise LabError(f"a container {name} exists that is no host of the lab; please remove it or choose another name")
    return container


def _address(container: Container) -> str:
    # The configured one: the other exists while the container runs only.
    return str(container.attrs["NetworkSettings"]["Networks"][NETWORK]["IPAMConfig"]["IPv4Address"])


def _volume(name: str) -> str:
    return f"gatehouse-lab-{name}"


def _free_address(client: docker.DockerClient, wanted: str | None) -> str:
    """The wanted address, or the first one, that no host has."""
    taken = set(addresses(client).values())
    free = [str(one) for one in SUBNET.hosts() if one >= FIRST_HOST_ADDRESS and str(one) not in taken]
    if wanted is not None and wanted not in free:
        raise LabError(f"address {wanted} is another host's, or none of {SUBNET} from {FIRST_HOST_ADDRESS} on")
    if not free:
        raise LabError(f"no address is free in {SUBNET}")
    return wanted or free[0]


def _start(client: docker.DockerClient, name: str, address: str, kind: str) -> Container:
    image = images.build(client, kind)
    volume = _volume(name)
    with suppress(NotFound):
        # What an engine left behind under this name is no part of a fresh host.
        client.volumes.get(volume).remove()
    client.volumes.create(volume, labels={LABEL: "volume"})
    # Not privileged: kernels that lack a capability refuse that, and a host needs less.
    host_config = client.api.create_host_config(
        network_mode=NETWORK,
        cap_add=["ALL"],
        cap_drop=["SYS_RESOURCE"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        device_cgroup_rules=["a *:* rwm"],
        cgroupns="private",
        tmpfs={"/run": "", "/run/lock": ""},
        binds={volume: {"bind": "/var/lib/docker", "mode": "rw"}},
    )
    # What the command line calls systempaths=unconfined: /proc and /sys without the engine's masks.
    host_config["MaskedPaths"] = []
    host_config["ReadonlyPaths"] = []
    networking = client.api.create_networking_config(
        {NETWORK: EndpointConfig(client.api._version, ipv4_address=address)}
    )
    try:
        client.api.create_container(
            image,
            name=name,
            hostname=name,
            labels={LABEL: "host"},
            host_config=host_config,
            networking_config=networking,
        )
        container = client.containers.get(name)
        container.start()
    except APIError as error:
        destroy(client, name)
        raise LabError(f"host {name} ({address}) cannot be started: {error.explanation}") from error
    say(f"host {name} starts at {address}")
    return container


def _let_in(container: Container) -> None:
    """Have its sshd take the lab's key, which is made with the first host after a start of this machine."""
    with lock():
        if not SSH_KEY.exists():
            SSH_KEY.parent.mkdir(mode=0o700, exist_ok=True)
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(SSH_KEY)], "no key for the hosts")
    key = SSH_KEY.with_suffix(".pub").read_text().strip()
    add = f"umask 077; mkdir -p /root/.ssh; echo '{key}' >/root/.ssh/authorized_keys"
    code, output = container.exec_run(["sh", "-euc", add])
    if code != 0:
        raise LabError(f"host {container.name} does not take the lab's key: {output.decode(errors='replace')}")


def _wait_until_booted(container: Container) -> None:
    """Until systemd has started everything; `degraded` is normal here, as no kernel module can be loaded."""

    def booted() -> bool:
        container.reload()
        if container.status != "running":
            raise LabError(f"host {container.name} ended:\n{container.logs(tail=20).decode(errors='replace')}")
        _code, output = container.exec_run(["systemctl", "is-system-running"])
        return output.decode().strip() in ("running", "degraded")

    wait_for(f"host {container.name} does not finish booting", booted, 60)
