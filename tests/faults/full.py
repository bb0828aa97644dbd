# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk of a host is full while a playbook runs, and has room again for the next one; under load."""

from __future__ import annotations

from tests.faults.service import Service, deployed

# One disk for Docker and for the service.
DISK = (
    "mkdir -p /mnt/disk /var/lib/docker /opt/gatehouse && mount -t tmpfs -o size=1500m disk /mnt/disk && "
    "mkdir /mnt/disk/docker /mnt/disk/gatehouse && "
    "mount --bind /mnt/disk/docker /var/lib/docker && mount --bind /mnt/disk/gatehouse /opt/gatehouse"
)
FILL = "dd if=/dev/zero of=/mnt/disk/fill bs=64k 2>/dev/null; dd if=/dev/zero of=/mnt/disk/rest bs=1k 2>/dev/null; true"
RUNS: dict[str, tuple[str, ...]] = {
    "deploy of a gateway": ("deploy", "--skip-tags=verify", "--tags=ollama_gateway"),
    "deploy of a server": ("deploy", "--skip-tags=verify", "--tags=ollama_server"),
    "deploy of both": ("deploy", "--skip-tags=verify"),
    "clients": ("clients", '--extra-vars={"ollama_gateway_default_limits": {"requests_per_minute": 1000000}}'),
    "rollback": ("rollback",),
    "backup": ("backup", "--extra-vars=gatehouse_backup_plaintext=true"),
}


def _fill(service: Service, name: str) -> None:
    with service.fault(f"disk full, {name}"), service.used():
        service.host.run_expect([0], FILL)
        code, said = service.play(*RUNS[name])
        service.host.run_expect([0], "rm /mnt/disk/fill /mnt/disk/rest")
        told = " ".join(said.split())
        why = told.find("No space left") if code else 0
        if why < 0:
            service.problems.append(f"does not say why it failed: {said[-1500:]}")
        print(f"faults: {name} ends with {code}: {told[max(0, why - 200) : why + 100] if code else ''}", flush=True)
        service.ends_well()


def main(*names: str) -> int:
    with deployed(DISK) as service:
        service.round += 1
        service.deploy()
        for name in names or RUNS:
            _fill(service, name)
    return len(service.problems)
