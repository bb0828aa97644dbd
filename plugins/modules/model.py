#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: model
short_description: Keep a model of an Ollama server
version_added: 0.1.0
description:
  - Downloads, copies, makes, loads or removes a model. M(gatehouse.ollama.models) does so with a list in one task.
  - Adapters are not among the options, since Ollama supports them no longer.
extends_documentation_fragment:
  - gatehouse.ollama.ollama_place
  - gatehouse.ollama.ollama_place.container
  - gatehouse.ollama.model_task
options:
  name:
    description: Name of the model, such as V(llama3.2:1b). Spellings that Ollama takes for the same are the same here.
    type: str
    required: true
  state:
    description:
      - V(present) downloads, copies or makes the model if it is not there, and again if it is not as described.
      - V(latest) downloads it if the registry has another one under its name by now.
      - V(absent) removes it. The layers that other models share stay.
    type: str
    choices: [present, latest, absent]
    default: present
  digest:
    description:
      - Digest that a downloaded model must have, as C(ollama list) shows it (12 digits) or all 64 digits. An installed
        one with another digest is downloaded again, and it is an error if the registry has another one, too.
    type: str
  source:
    description: Model that is copied to this name. It is downloaded if it is missing.
    type: str
  from:
    description:
      - Model from which this one is made, with what O(system), O(template), O(parameters), O(license) and O(messages)
        change of it. It is downloaded if it is missing.
    type: str
  files:
    description:
      - GGUF files of which the model is made, by their absolute paths on the host. They are uploaded unless the server
        has them. In each run they are read to compare their digests, which takes about a second for each GB.
    type: list
    elements: str
  system:
    description: System prompt. With O(from), that of the base if left out.
    type: str
  template:
    description: Template of prompts. If left out, that of the base, or what Ollama finds in O(files).
    type: str
  parameters:
    description: Parameters such as C(num_ctx) and C(temperature), in addition to those of the base. C(stop) is a list.
    type: dict
  license:
    description: Licences as texts, in addition to those of the base.
    type: list
    elements: str
  messages:
    description: A conversation that each one begins with, in the place of the base's.
    type: list
    elements: dict
    suboptions:
      role:
        description: Who says it.
        type: str
        choices: [system, user, assistant]
        required: true
      content:
        description: What is said.
        type: str
        required: true
  keep_alive:
    description:
      - Loads the model and keeps it that long, in seconds or as a duration such as V(30m). V(-1) is for good, V(0)
        unloads it. Nothing is done to one that is loaded already, unless it is to stay for good and would not.
    type: str
  insecure:
    description: Whether the model's registry is asked without TLS.
    type: bool
    default: false
seealso:
  - module: gatehouse.ollama.models
  - module: gatehouse.ollama.model_info
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Download a model and keep it loaded
  gatehouse.ollama.model:
    name: llama3.2:1b
    keep_alive: -1

- name: Have exactly this one
  gatehouse.ollama.model:
    name: llama3.2:1b
    digest: baf6a787fdff

- name: Make one of it
  gatehouse.ollama.model:
    name: clerk
    from: llama3.2:1b
    system: You answer in one sentence.
    parameters:
      num_ctx: 8192
      temperature: 0.2

- name: Make one of a file on the host
  gatehouse.ollama.model:
    name: own
    files: [/srv/models/own.gguf]

- name: Let clients use the name that they know
  gatehouse.ollama.model:
    name: gpt-4o-mini
    source: llama3.2:1b

- name: Remove one through a gateway, from wherever this runs
  gatehouse.ollama.model:
    name: tiny
    state: absent
    url: https://llm.example.com:8880
    api_key: "{{ vault_operator_key }}"
"""

RETURN = r"""
name:
  description: The model's name as Ollama lists it.
  type: str
  returned: always
  sample: llama3.2:1b
change:
  description:
    - What was done, or would be. V(unknown) is in check mode only, where O(state=latest) and the registry cannot be
      asked.
  type: str
  returned: always
  sample: updated
previous_digest:
  description: Digest of the model before, empty if it was not there.
  type: str
  returned: always
digest:
  description: Digest of the model now, empty if it is not there.
  type: str
  returned: always
loaded:
  description: Whether the model was loaded or unloaded.
  type: bool
  returned: always
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import task
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import read_model

OPTIONS: dict[str, dict[str, t.Any]] = {
    **task.TASK_OPTIONS,
    "name": dict(type="str", required=True),
    "state": dict(type="str", choices=["present", "latest", "absent"], default="present"),
    "digest": dict(type="str"),
    "source": dict(type="str"),
    "from": dict(type="str"),
    "files": dict(type="list", elements="str"),
    "system": dict(type="str"),
    "template": dict(type="str"),
    "parameters": dict(type="dict"),
    "license": dict(type="list", elements="str"),
    "messages": dict(
        type="list",
        elements="dict",
        options=dict(
            role=dict(type="str", choices=["system", "user", "assistant"], required=True),
            content=dict(type="str", required=True),
        ),
    ),
    "keep_alive": dict(type="str"),
    "insecure": dict(type="bool", default=False),
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Raises GatehouseError, or OSError about the notes of the progress."""
    wanted, problems = read_model(module.params)
    if wanted is None or problems:
        raise BadInput(problems)
    result = task.keep(module, [wanted])[0]
    answer = task.returned([result], module._diff)
    answer.update(
        name=result.name,
        change=result.change,
        previous_digest=result.old,
        digest=result.digest,
        loaded=result.loaded,
    )
    if result.error:
        answer.update(failed=True, msg=f"{result.name}: {result.error}")
    return answer


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    task.end_with(module, work)


if __name__ == "__main__":
    main()
