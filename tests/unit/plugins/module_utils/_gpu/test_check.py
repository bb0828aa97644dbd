# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu import check
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu.check import Residence

TAGS = [
    {"name": "big:latest", "size": 9 << 30, "digest": "b"},
    {"name": "small:1b", "size": 1 << 30, "digest": "s"},
    {"name": "far:cloud", "size": 300, "digest": "f", "remote_host": "https://ollama.com"},
]
LOG = """\
time=1 level=INFO source=routes.go:1933 msg="server config" env="map[CUDA_VISIBLE_DEVICES: ROCR_VISIBLE_DEVICES:]"
time=2 level=INFO source=routes.go:1990 msg="Listening on 127.0.0.1:11434 (version 0.32.14)"
time=3 level=INFO source=runner.go:60 msg="discovering available GPUs..."
time=4 level=INFO source=types.go:50 msg="inference compute" id=cpu library=cpu total="15.7 GiB"
[GIN] 2026/01/01 | 200 | GET "/api/tags?nvml"
"""


def test_the_smallest_model_that_the_server_itself_runs_is_chosen() -> None:
    assert check.choose(TAGS, "") == TAGS[1]
    assert check.choose([], "") is None
    assert check.choose(TAGS[2:], "") is None


def test_a_wanted_model_is_found_under_any_of_its_names() -> None:
    for name in ("big", "BIG:latest", "library/big", "registry.ollama.ai/library/big:latest"):
        assert check.choose(TAGS, name) == TAGS[0]
    assert check.choose(TAGS, "small") is None


def test_a_model_counts_as_on_the_gpu_when_all_of_it_is() -> None:
    assert Residence(10, 10).complete
    assert not Residence(10, 9).complete
    assert not Residence(0, 0).complete


def test_a_loaded_model_is_found_by_digest_or_name() -> None:
    running = [{"name": "other:latest", "digest": "b", "size": 7, "size_vram": 5}]
    assert check.find_loaded(running, TAGS[0]) == Residence(7, 5)
    assert check.find_loaded(running, TAGS[1]) is None
    assert check.find_loaded([{"name": "small:1b", "digest": "new", "size": 1}], TAGS[1]) == Residence(1, 0)


def test_the_log_is_cut_down_to_what_it_tells_about_gpus() -> None:
    assert [line[:6] for line in check.telling_lines(LOG)] == ["time=3", "time=4"]
    assert len(check.telling_lines(LOG * 20)) == 12


def test_a_failure_names_the_server_the_sizes_and_what_the_container_saw() -> None:
    seen = {"log": ["library=cpu"], "nvidia-smi -L": ["Failed to initialize NVML: Unknown Error"], "devices": []}
    told = check.failure("ollama-gpu0", "small:1b", Residence(3 << 30, 1 << 30), seen)
    assert told == (
        "ollama_server_require_gpu: ollama-gpu0: of small:1b, which takes 3.0 GiB, only 1.0 GiB are in the memory of "
        "a GPU (size_vram); the CPU computes the rest. What its container saw:\n"
        "  log:\n    library=cpu\n"
        "  nvidia-smi -L:\n    Failed to initialize NVML: Unknown Error\n"
        "  devices:\n    nothing"
    )
    assert "not in memory any more" in check.failure("ollama", "small:1b", None, {})
