# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules model and models have in common: options, the way to the server, and what they return."""

from __future__ import annotations

import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import keeper as models
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.keeper import Result
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.made import Made
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import Wanted
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.place import PLACE_OPTIONS, connect
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.progress import Notes
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.pull import RETRIES, Host

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

Dict = t.Dict[str, t.Any]

TASK_OPTIONS: t.Dict[str, Dict] = dict(
    **PLACE_OPTIONS,
    retries=dict(type="int", default=RETRIES),
    progress=dict(type="path"),
    made=dict(type="path"),
)


def keep(module: AnsibleModule, wanted: t.Sequence[Wanted], purge: bool = False) -> t.List[Result]:
    """Make the server have these models, or tell in check mode what would be done. Raises GatehouseError, OSError."""
    if module.params["retries"] < 0:
        raise BadInput(["retries: it must be 0 or more"])
    notes = Notes(module.params["progress"])
    client, container = connect(module)
    host = Host(free=models.free_space(container.models_folder if container else None), notes=notes)
    made = Made(module.params["made"])
    keeper = models.Keeper(client, host, module.check_mode, module.params["retries"], made=made)
    results = keeper.keep(wanted, purge)
    if made.problem:
        message = "It cannot be remembered of which files models were made, so the next run makes them again: %s"
        module.warn(message % made.problem)
    unknown = [one.name for one in results if one.change == models.UNKNOWN]
    if unknown and module.check_mode:
        message = "Whether there is a newer %s is not known before a real run: this host cannot ask the registry."
        module.warn(message % ", ".join(unknown))
    return results


def returned(results: t.Sequence[Result], show_diff: bool) -> Dict:
    """What both modules return of the results."""
    answer: Dict = {"changed": any(one.changed for one in results)}
    if show_diff and answer["changed"]:
        answer["diff"] = models.diff(results)
    return answer


def end_with(module: AnsibleModule, work: t.Callable[[AnsibleModule], Dict]) -> None:
    """Do the work of a module and return what came of it, which may be a failure with results."""
    try:
        answer = work(module)
    except (GatehouseError, OSError) as error:
        module.fail_json(msg=str(error))
    if answer.get("failed"):
        module.fail_json(**answer)
    module.exit_json(**answer)
