# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA GPUs as far as a host shows them, with nothing behind; tests/lab/nvidia/README.md tells how to use them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from docker.models.containers import Container

from tests.lab.base import LabError

DRIVER = "580.65.06"
SMI = Path(__file__).resolve().parent / "nvidia" / "nvidia-smi"


def table(count: int, driver: str) -> str:
    """What the stand-in for nvidia-smi reads: index, UUID, name, driver version, PCI bus id."""
    return "".join(
        f"{i}, GPU-6a7e0000-0000-4000-8000-{i:012d}, NVIDIA L4, {driver}, 00000000:{i + 1:02X}:00.0\n"
        for i in range(count)
    )


def devices(count: int) -> dict[str, tuple[int, int]]:
    """The device nodes with their numbers; that of nvidia-uvm is chosen anew by each kernel."""
    nodes = {f"/dev/nvidia{i}": (195, i) for i in range(count)}
    return {**nodes, "/dev/nvidiactl": (195, 255), "/dev/nvidia-uvm": (510, 0)}


def install(container: Container, count: int, driver: str) -> None:
    """Give a running host so many GPUs."""
    files = {
        "usr/bin/nvidia-smi": (SMI.read_bytes(), 0o755),
        "etc/fake-nvidia/gpus.csv": (table(count, driver).encode(), 0o644),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    container.put_archive("/", buffer.getvalue())
    nodes = "".join(
        f"test -e {path} || mknod -m 0666 {path} c {major} {minor}\n" for path, (major, minor) in devices(count).items()
    )
    code, output = container.exec_run(["sh", "-euc", nodes])
    if code != 0:
        raise LabError(f"host {container.name} gets no device nodes: {output.decode(errors='replace')}")
