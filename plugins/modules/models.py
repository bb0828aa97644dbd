#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: models
short_description: Keep all models of an Ollama server
version_added: 0.1.0
description:
  - Makes a server have the models of a list, in one task. Downloads run one after another, since Ollama itself fetches
    the parts of one at the same time; what a model is made from comes before it.
  - One that fails hides no other. All are tried, and the task fails in the end with the error of each.
extends_documentation_fragment:
  - gatehouse.ollama.ollama_place
  - gatehouse.ollama.ollama_place.container
  - gatehouse.ollama.model_task
options:
  models:
    description:
      - The models, each a name such as V(llama3.2:1b), or a dictionary with the options C(name), C(state), C(digest),
        C(source), C(from), C(files), C(system), C(template), C(parameters), C(license), C(messages), C(keep_alive) and
        C(insecure) of M(gatehouse.ollama.model).
      - What is wrong with any of them is reported at once, before anything is changed.
    type: list
    elements: raw
    required: true
  purge:
    description:
      - Whether models that are not in the list are removed. What a listed one is made from or copied of stays.
      - Nothing is removed if one of the list failed.
    type: bool
    default: false
seealso:
  - module: gatehouse.ollama.model
  - module: gatehouse.ollama.model_info
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Have these models and no others
  gatehouse.ollama.models:
    models:
      - llama3.2:1b
      - name: qwen3:8b
        state: latest
        keep_alive: -1
      - name: clerk
        from: llama3.2:1b
        system: You answer in one sentence.
    purge: true
"""

RETURN = r"""
added:
  description: Names of the models that were added, or would be, as Ollama lists them.
  type: list
  elements: str
  returned: always
  sample: ["clerk:latest"]
updated:
  description: Those that are another one now.
  type: list
  elements: str
  returned: always
removed:
  description: Those that were removed.
  type: list
  elements: str
  returned: always
unchanged:
  description: Those that were as they should be.
  type: list
  elements: str
  returned: always
unknown:
  description: In check mode, those of which only a real run finds out whether there is a newer one.
  type: list
  elements: str
  returned: always
loaded:
  description: Those that were loaded or unloaded.
  type: list
  elements: str
  returned: always
failed_models:
  description: What went wrong, by the name of the model.
  type: dict
  returned: always
digests:
  description: The digest of each model of the list, by its name; empty if it is not there.
  type: dict
  returned: always
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import keeper, task
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import read_models

OPTIONS: dict[str, dict[str, t.Any]] = dict(
    **task.TASK_OPTIONS,
    models=dict(type="list", elements="raw", required=True),
    purge=dict(type="bool", default=False),
)


def failure(failures: list[str], done: list[str], check_mode: bool, unpurged: bool) -> str:
    """What to say where some models failed, and what came of the others, if there are some."""
    there = "would be" if check_mode else "are"
    last = [f"The others {there} as they should be: {', '.join(done)}."] if done else []
    last += ["Nothing was purged."] if unpurged else []
    return "\n".join([*failures, *([" ".join(last)] if last else [])])


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """Raises GatehouseError, or OSError about the notes of the progress."""
    wanted, problems = read_models(module.params["models"], "models")
    if problems:
        raise BadInput(problems)
    results = task.keep(module, wanted, module.params["purge"])
    answer = task.returned(results, module._diff)
    for change in (keeper.ADDED, keeper.UPDATED, keeper.REMOVED, keeper.UNCHANGED, keeper.UNKNOWN):
        answer[change] = [one.name for one in results if one.change == change and not one.error]
    answer["loaded"] = [one.name for one in results if one.loaded]
    answer["failed_models"] = {one.name: one.error for one in results if one.error}
    answer["digests"] = {one.name: one.digest for one in results}
    failures = [f"{name}: {error}" for name, error in answer["failed_models"].items()]
    if failures:
        removed = any(one.change == keeper.REMOVED for one in results)
        done = [one.name for one in results if not one.error]
        text = failure(failures, done, module.check_mode, module.params["purge"] and not removed)
        answer.update(failed=True, msg=text)
    return answer


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    task.end_with(module, work)


if __name__ == "__main__":
    main()
