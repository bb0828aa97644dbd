#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gateway_handover
short_description: Let one gateway take over from another without a refused connection
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - A small container, the pod, has the networks and the published ports, and stays. Gateways run in its network
    namespace, each as a Compose service of its own, C(gateway-1), C(gateway-2) and so on. A new one starts beside the
    one that serves; both listen, until the old one is told to end, which it does when its last request has.
  - The steps are O(state)s. Between them the role writes files and has Compose start what they describe.
options:
  project:
    description: The Compose project.
    type: str
    required: true
  folder:
    description: The folder of the gateway, C(ollama_gateway_dir).
    type: path
    required: true
  state:
    description:
      - V(moved) gives the folder of a gateway that runs from O(former) its new place, with a link at the former one.
      - V(looked) tells what runs, and changes nothing.
      - V(planned) tells whether O(compose) needs a new gateway, and changes nothing.
      - V(kept) keeps the files of the gateway that runs, to go back to, if it runs what is on disk.
      - V(begun) makes room for the gateway that C(compose.yaml) describes.
      - V(served) waits until it listens, and has it read its configuration again where it has not.
      - V(drained) has the gateways before it end, each when its last request has.
      - V(undone) goes back to what was kept.
      - V(rolled_back) makes what was kept the files of the gateway, and keeps those that it has now.
    type: str
    choices: [moved, looked, planned, kept, begun, served, drained, undone, rolled_back]
    required: true
  former:
    description: The folder from which the gateway runs, for O(state=moved).
    type: path
  compose:
    description: The C(compose.yaml) of the gateway that runs as the role would write it now. For O(state=planned).
    type: str
  image:
    description: The id of the image that the gateway is to run, for O(state=planned).
    type: str
    default: ""
  configuration_differs:
    description: Whether files of the configuration are about to be replaced, for O(state=planned).
    type: bool
    default: false
  kept:
    description: Whether something was kept in this run, for O(state=undone).
    type: bool
    default: false
  patience:
    description: Seconds that a gateway may take until it listens.
    type: int
    default: 30
  drain_timeout:
    description: Seconds after which what a gateway before has not ended is cut off.
    type: int
    default: 3600
attributes:
  check_mode:
    description: Tells what would change, and changes nothing.
    support: full
  diff_mode:
    description: The files are shown by the tasks that write them.
    support: none
  idempotent:
    description: A second run changes nothing. Containers that have ended are removed, which counts as no change.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Have the new gateway serve
  gatehouse.ollama.gateway_handover:
    project: gatehouse-gateway
    folder: /opt/gatehouse/gateway
    state: served
"""

RETURN = r"""
number:
  description: The number of the gateway that runs, or with O(state=planned) of the one that should.
  returned: with O(state=looked) and O(state=planned)
  type: int
pod_image:
  description: The id of the image that the pod runs, empty where there is none.
  returned: with O(state=looked)
  type: str
migrates:
  description: Whether the kernel hands connections over that nobody has accepted yet.
  returned: with O(state=looked)
  type: bool
replaces:
  description: Whether a new gateway takes over from one that runs.
  returned: with O(state=planned)
  type: bool
kept:
  description: Whether the files of the gateway that runs were kept.
  returned: with O(state=kept) and O(state=rolled_back)
  type: bool
settled:
  description: Whether the gateway that is described serves, and there is no other for which room has to be made, or
    that has to end.
  returned: with O(state=planned)
  type: bool
gaps:
  description: Why nobody can come in for a moment, if so.
  returned: with O(state=planned) and O(state=begun)
  type: list
  elements: str
notice:
  description: What changes, and how users notice.
  returned: with O(state=planned)
  type: str
drained:
  description: Containers that end when their last request has.
  returned: with O(state=drained)
  type: list
  elements: str
said:
  description: What the gateway that did not take over said last.
  returned: with O(state=undone)
  type: str
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker, is_running
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway import containers, handover, moving, previous
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway.handover import Handover

Dict = t.Dict[str, t.Any]

NOTHING = "Users notice nothing of it: requests that run go on, new ones go to the new gateway."
HTTP3 = " Answers over HTTP/3 are cut."
RELOAD = "The gateway reads its configuration again. Users notice nothing."
GAP = "New connections are refused for a moment (%s); requests that run have %d s to end."


def moved(there: containers.Containers, change: Handover, params: Dict) -> Dict:
    former, folder = (os.path.normpath(path) for path in (params["former"], there.folder))
    due = moving.is_due(former, folder, there.name)
    if not due and os.path.islink(folder):
        change.module.warn(f"{folder} is a link, and the folder of the gateway stays where it leads to")
    if due and not there.docker.check_mode:
        moving.move(former, folder)
    return {"changed": due}


def looked(there: containers.Containers, _change: Handover, _params: Dict) -> Dict:
    pod = there.pod
    return {
        "number": there.description.number,
        "pod_image": pod["Image"] if pod else "",
        "migrates": os.path.exists(handover.MIGRATES),
    }


def planned(there: containers.Containers, change: Handover, params: Dict) -> Dict:
    live, text = there.live, params["compose"]
    is_new = text != there.description.text or there.description.number == 0
    is_new = is_new or bool(live and params["image"] and live["Image"] != params["image"])
    runs = is_running(there.serving)
    gaps = change.gaps(text) if is_new else []
    notice = RELOAD if params["configuration_differs"] else ""
    if is_new and runs:
        notice = GAP % (", and ".join(gaps), handover.GAP) if gaps else NOTHING + HTTP3 * ("8080/udp" in text)
    return {
        "number": there.description.number + is_new,
        "replaces": is_new and runs,
        "settled": not is_new and runs and there.serving is live and not there.others,
        "gaps": gaps,
        "notice": notice if runs else "",
    }


def kept(there: containers.Containers, change: Handover, _params: Dict) -> Dict:
    live = there.live
    if not there.docker.check_mode:
        previous.forget_interrupted(there.folder)
    if live is None or not change.is_current():
        return {"kept": False}
    if not there.docker.check_mode:
        previous.save(there.folder, live["Image"])
    return {"kept": True}


def begun(_there: containers.Containers, change: Handover, _params: Dict) -> Dict:
    return {"gaps": change.begin()}


def served(_there: containers.Containers, change: Handover, params: Dict) -> Dict:
    return {"changed": change.serve(params["patience"])}


def drained(there: containers.Containers, change: Handover, params: Dict) -> Dict:
    names = change.drain(params["drain_timeout"])
    if not there.docker.check_mode:
        previous.forget_interrupted(there.folder)
    return {"drained": names, "changed": bool(names)}


def undone(_there: containers.Containers, change: Handover, params: Dict) -> Dict:
    return {"said": change.undo(params["kept"]), "changed": params["kept"]}


def rolled_back(there: containers.Containers, change: Handover, _params: Dict) -> Dict:
    before = previous.read(there.folder)
    if containers.described_in(before.text).number == 0:
        raise previous.NoPrevious("The gateway before has no pod, and its port is taken by the one of now")
    if previous.authentication(there.folder, previous.where(there.folder)) != previous.authentication(there.folder):
        raise previous.NoPrevious(
            "The gateway before authenticates otherwise, and clients have no files for that any more"
        )
    if not there.docker.inspect("image", before.image):
        raise previous.NoPrevious(f"The image of the gateway before, {before.image}, is not on this host any more")
    live = there.live
    interrupted = previous.was_interrupted(there.folder)
    if not interrupted and (live is None or not change.is_current()):
        raise previous.NoPrevious("The gateway does not run what is on disk. A deploy mends that")
    text = containers.as_number(before.text, there.description.number + 1, before.image)
    if not there.docker.check_mode:
        previous.swap(there.folder, live["Image"] if live else "", text)
    return {"changed": True, "kept": True}


STATES: dict[str, t.Callable[[containers.Containers, Handover, Dict], Dict]] = {
    "moved": moved,
    "looked": looked,
    "planned": planned,
    "kept": kept,
    "begun": begun,
    "served": served,
    "drained": drained,
    "undone": undone,
    "rolled_back": rolled_back,
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            project=dict(type="str", required=True),
            folder=dict(type="path", required=True),
            state=dict(type="str", choices=list(STATES), required=True),
            former=dict(type="path"),
            compose=dict(type="str"),
            image=dict(type="str", default=""),
            configuration_differs=dict(type="bool", default=False),
            kept=dict(type="bool", default=False),
            patience=dict(type="int", default=30),
            drain_timeout=dict(type="int", default=3600),
        ),
        required_if=[("state", "planned", ["compose"]), ("state", "moved", ["former"])],
        supports_check_mode=True,
    )
    params = module.params
    try:
        there = containers.Containers(Docker(module), params["project"], params["folder"])
        result = STATES[params["state"]](there, Handover(module, there), params)
    except (GatehouseError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**{"changed": False, **result})


if __name__ == "__main__":
    main()
