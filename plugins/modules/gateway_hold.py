#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gateway_hold
short_description: Have requests wait at the gateway of this host while a server is replaced
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - With O(state=held), new requests wait before they go on to a server, as long as C(ollama_gateway_wait_timeout) lets
    them. A hold that nobody ends is over after O(longest).
  - With O(state=drained), returns when those that went on before the hold have ended, or O(drain_timeout) after it
    began. So several gateways that are held first and asked one by one then have the same time.
  - With O(state=released), they go on.
  - Several may hold at the same time; requests wait until all of them have let go.
  - Nothing is held where no gateway runs, where it is plain nginx, or where it was told to let no request wait. A
    gateway that cannot be asked is warned about. Neither is a failure, for the server is to be replaced in any case.
  - Of a gateway that was replaced and still ends, no request is counted.
options:
  state:
    description: Whether requests wait.
    type: str
    choices: [held, drained, released]
    required: true
  holder:
    description: Who holds.
    type: str
    required: true
  drain_timeout:
    description: Seconds from the begin of the hold for which requests may go on that a server has.
    type: int
    default: 30
  longest:
    description: Seconds after which a hold is over in any case, a day at the most.
    type: int
    default: 900
  project:
    description: Compose project of the gateway.
    type: str
    default: gatehouse-gateway
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: A hold is renewed. To release what is not held changes nothing.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Have requests wait
  gatehouse.ollama.gateway_hold:
    state: held
    holder: llm

- name: Let those that run end
  gatehouse.ollama.gateway_hold:
    state: drained
    holder: llm

- name: Let them go on
  gatehouse.ollama.gateway_hold:
    state: released
    holder: llm
"""

RETURN = r"""
held:
  description: Whether requests wait now, or did until now.
  type: bool
  returned: success
running:
  description: Requests that servers still had when the time was up; V(-1) if a gateway did not tell.
  type: int
  returned: success
seconds:
  description: How long that took.
  type: float
  returned: success
"""

import json
import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import hold
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker, name_of
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

Dict = t.Dict[str, t.Any]

INSIDE = "/etc/gatehouse"
# Where a gateway tells how many requests are at servers, in its container: since when it holds, requests, and waiting.
STATE = "/".join(("", "tmp", "gatehouse_hold"))
# Seconds between two looks, and those in which a gateway knows of a hold.
STEP = 0.3
NOTICE = 5
# The longest that a gateway takes for sound.
LONGEST = 86400


class Gateway(t.NamedTuple):
    """A running container, and the folder of the host that holds its clients."""

    id: str
    clients: str


def gateways(docker: Docker, project: str) -> list[Gateway]:
    """Those in which requests can wait. Raises GatehouseError, OSError."""
    found = []
    there = docker.containers(project) if docker.is_installed else []
    # One that was replaced and ends takes no new request, and has no timer any more by which it could tell anything.
    serving = [one for one in there if name_of(one) == project + "-gateway-1"]
    for one in serving or there:
        clients, conf = hold.mounted(one, INSIDE + "/clients"), hold.mounted(one, INSIDE + "/conf")
        if clients and conf and lets_wait(os.path.join(conf, "settings.json")):
            found.append(Gateway(str(one["Id"]), clients))
    return found


def lets_wait(settings: str) -> bool:
    try:
        with open(settings, encoding="utf-8", errors="replace") as file:
            said = json.load(file)
    except (FileNotFoundError, ValueError):
        return False
    seconds = said.get("wait_timeout") if isinstance(said, dict) and said.get("engine") == "openresty" else 0
    return isinstance(seconds, int) and seconds > 0


def at_servers(docker: Docker, gateway: Gateway, since: float) -> int | None:
    """How many requests of a gateway servers have; None while not all of it holds."""
    # Little of it: whatever stands there was written in the container.
    words = docker.run("exec", gateway.id, "head", "-c", "100", STATE).stdout.split()
    if len(words) != 3 or not all(word.isdecimal() for word in words) or int(words[0]) < since:
        return None
    return int(words[1])


def drain(docker: Docker, found: list[Gateway], since: float, seconds: float) -> int:
    """Wait until servers have no request, and return how many they have; -1 if that is not known."""

    def look() -> int | None:
        counts = [at_servers(docker, one, since) for one in found]
        return None if None in counts else sum(filter(None, counts))

    # The time counts from the begin of the hold, and so does that in which all of a gateway has to know of it.
    passed = max(0, time.time() - since)
    return hold.wait_until_none(look, seconds - passed, NOTICE - passed, STEP)


def have_wait(docker: Docker, params: Dict) -> Dict:
    found = gateways(docker, params["project"])
    if docker.check_mode or not found:
        return dict(changed=bool(found), held=bool(found), running=0)
    since = int(time.time())
    until = since + min(max(params["longest"], 1), LONGEST)
    for folder in sorted({one.clients for one in found}):
        hold.hold(folder, params["holder"], since, until)
    return dict(changed=True, held=True, running=0)


def have_end(docker: Docker, params: Dict) -> Dict:
    begins = {one: hold.since(one.clients, params["holder"]) for one in gateways(docker, params["project"])}
    held = {one: since for one, since in begins.items() if since is not None}
    if docker.check_mode or not held:
        return dict(changed=False, held=bool(held), running=0)
    running = drain(docker, list(held), max(held.values()), max(params["drain_timeout"], 0))
    return dict(changed=False, held=True, running=running)


def let_go(docker: Docker, params: Dict) -> Dict:
    everywhere = docker.containers(params["project"], "--all") if docker.is_installed else []
    folders = {hold.mounted(one, INSIDE + "/clients") for one in everywhere}
    released = [
        os.path.lexists(os.path.join(folder, hold.NAME))
        if docker.check_mode
        else hold.release(folder, params["holder"], time.time())
        for folder in sorted(folders)
        if os.path.isdir(folder)
    ]
    return dict(changed=any(released), held=any(released), running=0)


STATES = {"held": have_wait, "drained": have_end, "released": let_go}
CONSEQUENCES = {
    "held": "no request waits",
    "drained": "requests that run are cut off",
    "released": "requests wait until the hold is over",
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(type="str", choices=["held", "drained", "released"], required=True),
            holder=dict(type="str", required=True),
            drain_timeout=dict(type="int", default=30),
            longest=dict(type="int", default=900),
            project=dict(type="str", default="gatehouse-gateway"),
        ),
        supports_check_mode=True,
    )
    begun = time.monotonic()
    try:
        answer = STATES[module.params["state"]](Docker(module), module.params)
    except (GatehouseError, OSError) as error:
        what = CONSEQUENCES[module.params["state"]]
        module.warn("The gateway of this host cannot be asked, so that %s: %s" % (what, error))
        answer = dict(changed=False, held=False, running=0)
    if answer["running"] > 0:
        text = "%d requests were still running after %d seconds, and are cut off when their server is replaced"
        module.warn(text % (answer["running"], module.params["drain_timeout"]))
    elif answer["running"] < 0:
        module.warn("The gateway of this host did not tell how many requests are running; those are cut off")
    module.exit_json(seconds=round(time.monotonic() - begun, 1), **answer)


if __name__ == "__main__":
    main()
