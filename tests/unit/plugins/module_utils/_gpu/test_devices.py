# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu import devices as accelerators
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu.devices import Gpu, Node

LIST = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa1111-0000-4000-8000-000000000000)
  MIG 3g.20gb     Device  0: (UUID: MIG-bbbb2222-0000-4000-8000-000000000000)
  MIG 3g.20gb     Device  1: (UUID: MIG-bbbb2222-0000-4000-8000-000000000001)
GPU 1: NVIDIA L4 (UUID: GPU-aaaa1111-0000-4000-8000-000000000001)
"""
A100 = Gpu(
    "GPU-aaaa1111-0000-4000-8000-000000000000",
    0,
    ("MIG-bbbb2222-0000-4000-8000-000000000000", "MIG-bbbb2222-0000-4000-8000-000000000001"),
)
L4 = Gpu("GPU-aaaa1111-0000-4000-8000-000000000001", 1)
INFORMATION = """\
Model: \t\t NVIDIA L4
IRQ:   \t\t 35
GPU UUID: \t GPU-aaaa1111-0000-4000-8000-000000000001
Video BIOS: \t 95.04.29.00.06
Bus Type: \t PCIe
Bus Location: \t 0000:01:00.0
Device Minor: \t 5
GPU Excluded:\t No
"""


def test_gpus_are_listed_with_what_they_were_split_into() -> None:
    assert accelerators.read_list(LIST) == [A100, L4]
    assert accelerators.read_list("No devices were found\n") == []


def test_the_driver_tells_the_numbers_of_the_nodes() -> None:
    assert accelerators.with_minors([A100, L4], [INFORMATION, "", "Device Minor: x"]) == [A100, L4._replace(minor=5)]


def test_the_chosen_gpus_have_their_nodes_and_no_others() -> None:
    gpus = [A100, L4._replace(minor=5)]
    assert accelerators.nvidia_paths(gpus, []) == ["/dev/nvidia0", "/dev/nvidia5"]
    assert accelerators.nvidia_paths(gpus, [L4.uuid]) == ["/dev/nvidia5"]
    assert accelerators.nvidia_paths(gpus, list(A100.parts)) == ["/dev/nvidia0"]


def test_a_gpu_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(accelerators.Missing, match=r"GPU-zzzz: .*has GPU-aaaa1111.*MIG-bbbb2222") as caught:
        accelerators.nvidia_paths([A100, L4], [L4.uuid, "GPU-zzzz"])
    assert L4.uuid not in str(caught.value).partition(":")[0]
    with pytest.raises(accelerators.Missing, match="lists no GPU"):
        accelerators.nvidia_paths([], [])


def test_groups_are_those_that_may_use_what_not_everybody_may() -> None:
    nodes = [Node("/dev/kfd", 992, 0o660), Node("/dev/dri/renderD128", 992, 0o660), Node("/dev/dri/card0", 44, 0o660)]
    assert accelerators.groups(nodes, 60881) == [44, 992]
    assert accelerators.groups([Node("/dev/nvidia0", 0, 0o666), Node("/dev/nvidiactl", 0, 0o600)], 60881) == []
    assert accelerators.groups([Node("/dev/kfd", 0, 0o660)], 60881) == [0]
    assert accelerators.groups([Node("/dev/kfd", 0, 0o660)], 0) == []
