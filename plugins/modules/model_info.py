#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: model_info
short_description: Tell which models an Ollama server has, and which are loaded
version_added: 0.1.0
description:
  - Lists the installed models, and the loaded ones with the share of each that is in the memory of GPUs.
extends_documentation_fragment:
  - gatehouse.ollama.changes_nothing
  - gatehouse.ollama.ollama_place
  - gatehouse.ollama.ollama_place.container
options:
  modelfiles:
    description: Whether the Modelfile of each model is returned as well, which the server is asked for one by one.
    type: bool
    default: false
seealso:
  - module: gatehouse.ollama.models
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Ask the server of this host
  gatehouse.ollama.model_info:
  register: ollama

- name: Show what computes on processors, at least in part
  ansible.builtin.debug:
    msg: "{{ ollama.running | selectattr('vram_percent', '<', 100) | map(attribute='name') }}"
"""

RETURN = r"""
version:
  description: Version of the server; empty in check mode where there is no server yet.
  type: str
  returned: success
  sample: 0.32.15
container:
  description: Name of the server's container; empty with O(url).
  type: str
  returned: success
installed:
  description: The installed models, by name.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the model.
      type: str
      sample: llama3.2:1b
    digest:
      description: Digest of its manifest, 64 digits.
      type: str
    size:
      description: Bytes of all its layers, of which it may share some with others.
      type: int
    modified_at:
      description: When it came.
      type: str
    family:
      description: Architecture of the model.
      type: str
      sample: llama
    parameter_size:
      description: How many parameters it has.
      type: str
      sample: 1.2B
    quantization_level:
      description: How they are stored.
      type: str
      sample: Q8_0
    modelfile:
      description: What the server gives as its Modelfile.
      type: str
      returned: with O(modelfiles)
running:
  description: The loaded models, by name.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the model.
      type: str
      sample: llama3.2:1b
    digest:
      description: Digest of its manifest.
      type: str
    size:
      description: Bytes of memory that it takes.
      type: int
    size_vram:
      description: Bytes of them in the memory of GPUs.
      type: int
    vram_percent:
      description: The share of RV(running[].size_vram) in RV(running[].size), rounded down.
      type: int
      sample: 100
    context_length:
      description: Tokens of context that it was loaded for; 0 if the server does not tell.
      type: int
    expires_at:
      description: When it is unloaded if nobody uses it.
      type: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.place import PLACE_OPTIONS, connect


def texts(entry: dict[str, t.Any], *names: str) -> dict[str, str]:
    return {name: str(entry.get(name) or "") for name in names}


def installed(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    details = texts(entry.get("details") or {}, "family", "parameter_size", "quantization_level")
    return dict(texts(entry, "name", "digest", "modified_at"), size=int(entry.get("size") or 0), **details)


def running(entry: dict[str, t.Any]) -> dict[str, t.Any]:
    size, vram = int(entry.get("size") or 0), int(entry.get("size_vram") or 0)
    return dict(
        texts(entry, "name", "digest", "expires_at"),
        size=size,
        size_vram=vram,
        vram_percent=100 * vram // size if size else 0,
        context_length=int(entry.get("context_length") or 0),
    )


def main() -> None:
    options = dict(**PLACE_OPTIONS, modelfiles=dict(type="bool", default=False))
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    answer: dict[str, t.Any] = dict(changed=False, version="", container="", installed=[], running=[])
    try:
        client, container = connect(module)
        if client is not None:
            answer.update(
                version=client.version(),
                container=container.name if container else "",
                installed=sorted(map(installed, client.tags()), key=lambda one: str(one["name"])),
                running=sorted(map(running, client.ps()), key=lambda one: str(one["name"])),
            )
            for one in answer["installed"] if module.params["modelfiles"] else ():
                one["modelfile"] = str(client.show(one["name"]).get("modelfile") or "")
    except GatehouseError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
