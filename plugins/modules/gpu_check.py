#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_check
short_description: Prove that Ollama computes on a GPU
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Loads a model on each server of a Compose project and looks whether all of it is in the memory of GPUs, as the
    server tells by C(size_vram) of C(/api/ps). Without a GPU, Ollama computes on the CPU and says nothing.
  - Where it is not, fails with what the container saw - the lines of its log about GPUs, C(nvidia-smi -L) inside it,
    and its device nodes.
  - Unloads what it loaded. A model that was loaded before stays.
options:
  model:
    description: The model to load. The smallest one that the server has if empty.
    type: str
    default: ""
extends_documentation_fragment:
  - gatehouse.ollama.ollama_place.servers
attributes:
  check_mode:
    description: A check needs a model to be loaded.
    details:
      - In check mode nothing is loaded, and nothing is proven.
    support: partial
  diff_mode:
    description: There is nothing to show, as nothing is changed.
    support: N/A
  idempotent:
    description: Changes nothing that lasts.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Fail unless both servers compute on their GPUs
  gatehouse.ollama.gpu_check:
    services: [ollama-gpu0, ollama-gpu1]
    model: llama3.2:1b
"""

RETURN = r"""
servers:
  description: By service, the C(model) that was loaded, and its C(size) and C(size_vram) in bytes.
  type: dict
  returned: success, and not in check mode
"""

import contextlib
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, GatehouseError, ServerError
from ansible_collections.gatehouse.ollama.plugins.module_utils._gpu.check import (
    choose,
    failure,
    find_loaded,
    telling_lines,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.place import Place, client_of

# Long enough to look, whatever else happens to the connection.
KEEP = "2m"
MODEL_VARIABLE = "ollama_server_gpu_check_model"
NODES = "ls -l /dev/nvidia* /dev/kfd /dev/dri/* 2>/dev/null"


def seen(docker: Docker, container: str) -> dict[str, list[str]]:
    """What there is to see in a container that computes on the CPU."""

    def said(*arguments: str) -> str:
        answer = docker.run(*arguments)
        return f"{answer.stdout}\n{answer.stderr}".strip()

    # What the server said when it started: it looks for GPUs once.
    started = said("inspect", "--format={{.State.StartedAt}}", container)
    log = said("logs", f"--since={started}", container) if re.match(r"\d{4}-\d\d-\d\dT", started) else ""
    gpus = said("exec", container, "nvidia-smi", "-L").splitlines()
    nodes = said("exec", container, "sh", "-c", NODES).splitlines()
    return {"log": telling_lines(log), "nvidia-smi -L": gpus, "devices": nodes}


def check(module: AnsibleModule, service: str) -> dict[str, t.Any]:
    """Load a model on this server and return where it is. Raises GatehouseError."""
    docker = Docker(module)
    place = Place(docker, module.params["project"], service)
    client = client_of(place.container, place.dial)
    wanted = module.params["model"]
    model = choose(client.tags(), wanted)
    if model is None:
        has = "%s has no model %s" % (service, wanted) if wanted else "%s has no model" % service
        raise BadInput(["%s: %s. Name one that ollama_server_models has, such as llama3.2:1b" % (MODEL_VARIABLE, has)])
    name = str(model["name"])
    before = find_loaded(client.ps(), model)
    if before is None:
        client.load(name, KEEP)
    found = find_loaded(client.ps(), model)
    shown = {} if found and found.complete else seen(docker, place.container.id)
    if before is None:
        with contextlib.suppress(ServerError):
            client.load(name, 0)
    if found is None or not found.complete:
        raise GatehouseError(failure(service, name, found, shown))
    return dict(model=name, size=found.size, size_vram=found.on_gpu)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            project=dict(type="str", default="gatehouse-ollama"),
            services=dict(type="list", elements="str", default=["ollama"]),
            model=dict(type="str", default=""),
        ),
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, msg="In check mode nothing is loaded, and nothing is proven.")
    servers, problems = {}, []
    for service in module.params["services"]:
        try:
            servers[service] = check(module, service)
        except GatehouseError as error:
            problems.append(str(error))
    if problems:
        module.fail_json(msg="\n".join(problems))
    module.exit_json(changed=False, servers=servers)


if __name__ == "__main__":
    main()
