#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: door_drain
short_description: Have the door of the server of this host take no new request, and wait for those that run
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - With O(state=held), the door takes no new request within a second, and gateways send them to other servers. That
    outlasts the door. It lasts until O(holder) lets go, or as long as O(longest).
  - With O(state=drained), returns when none runs any more, or after O(drain_timeout).
  - With O(state=released), the door takes requests again, unless another holder has it drained too.
  - With O(state=asked), only says what is.
  - A host without a door is no failure, nor is a door that cannot be asked, unless O(required=true).
options:
  state:
    description: Whether the door takes requests.
    type: str
    choices: [asked, held, drained, released]
    required: true
  holder:
    description: Who drains. Several may at the same time.
    type: str
    default: operator
  longest:
    description: Seconds after which O(holder) drains no longer in any case; V(0) for no such time.
    type: int
    default: 0
  drain_timeout:
    description: Seconds for which requests may go on.
    type: int
    default: 600
  required:
    description: Whether it is a failure if there is no door, or if requests still run after O(drain_timeout).
    type: bool
    default: false
  gateways:
    description:
      - Gateways that have to be told first that the door takes requests, as this module returned them. With
        O(state=released), waits for them for most of a minute, for one that failed to reach the server meanwhile tries
        again after up to half a minute.
    type: list
    elements: str
    default: []
  others:
    description:
      - What this module returned for other servers. With O(state=asked) it says whether they can do without this one;
        with O(state=drained) it warns if they cannot.
    type: list
    elements: dict
  project:
    description: Compose project of the server.
    type: str
    default: gatehouse-ollama
attributes:
  check_mode:
    description: Changes nothing, and waits for nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: What lasts until it is released is not renewed. To release what is not drained changes nothing.
    support: full
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Take no new request
  gatehouse.ollama.door_drain:
    state: held

- name: Wait until none runs
  gatehouse.ollama.door_drain:
    state: drained
    required: true

- name: Take requests again
  gatehouse.ollama.door_drain:
    state: released
"""

RETURN = r"""
door:
  description: Whether this host has a door.
  type: bool
  returned: success
takes:
  description: Whether it takes requests now.
  type: bool
  returned: success
models:
  description: The models that its servers have.
  type: list
  elements: str
  returned: success
gateways:
  description: Gateways that were told lately that it takes requests.
  type: list
  elements: str
  returned: success
spared:
  description: Whether those of O(others) that take requests have all the models of this one, or this one is drained.
  type: bool
  returned: success
running:
  description: Requests that still ran when the time was up; V(-1) if the door did not tell.
  type: int
  returned: success
line:
  description: The same for people.
  type: str
  returned: success
seconds:
  description: How long that took.
  type: float
  returned: success
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import door, hold
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

Dict = t.Dict[str, t.Any]

# Seconds between two looks, and those in which a door knows that it is drained.
STEP = 0.3
NOTICE = 5
# Seconds in which a gateway looks again at a server that it failed to reach, and in which at one that it reaches.
AGAIN = 45
LATELY = 10
# What stands in the file for "until it is released".
FOR_GOOD = 20 * 365 * 86400

NO_DOOR = (
    "This server has no door, so that requests cannot be sent to others and it cannot be drained. "
    "ollama_server_door_bind gives it one, with the next deploy. "
    "A server without a door needs no drain: requests wait at the gateways while deploy replaces it."
)
NOBODY = "No other server takes requests now: new ones are refused until this one does again, or another."
LACKS = "No other server that takes requests has %s: requests for these are refused until this one takes them again."


class DrainError(GatehouseError):
    """The server is not what it was to be; the text says what to do."""


class Drain:
    """The door of this host, and who drains it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.params: Dict = module.params
        self.docker = Docker(module)
        self.door = door.find(self.docker, self.params["project"])
        if self.door is None and self.params["required"]:
            raise DrainError(NO_DOOR)

    def spans(self) -> Dict:
        return hold.spans(self.door.state, door.NAME, time.time()) if self.door else {}

    def answer(self, **what: t.Any) -> Dict:
        """What is now, and `what`."""
        found = self.those_that_answer()
        models = sorted({model for one in found for model in one.models})
        # By the file: the door needs a moment to read it.
        is_drained = bool(self.spans())
        takes = bool(found) and not is_drained
        spared = self.door is not None and (is_drained or missed(models, self.params["others"]) == [])
        return dict(
            {"changed": False, "running": 0, "line": ""},
            door=self.door is not None,
            takes=takes,
            models=models,
            gateways=sorted(told(found, time.time() - LATELY)),
            spared=spared,
            **what,
        )

    def those_that_answer(self) -> list[door.Status]:
        """A busy server may take a while."""
        ends = time.monotonic() + NOTICE
        while True:
            found = [one for one in (door.ask(self.docker, self.door) if self.door else []) if one.answers]
            if found or self.door is None or not self.door.runs or time.monotonic() > ends:
                return found
            time.sleep(STEP)

    def asked(self) -> Dict:
        return self.answer()

    def held(self) -> Dict:
        if self.door is None:
            return self.answer()
        since = int(time.time())
        longest = max(self.params["longest"], 0) or FOR_GOOD
        had = self.spans().get(self.params["holder"])
        # What lasts until it is released need not be renewed.
        if had and self.params["longest"] == 0 and had["until"] - since > FOR_GOOD / 2:
            return self.answer()
        if not self.module.check_mode:
            hold.hold(self.door.state, self.params["holder"], since, since + longest, door.NAME)
        return self.answer(changed=True)

    def drained(self) -> Dict:
        self.warn_of_others()
        if self.module.check_mode:
            return self.answer(line="would take no new request, and would be waited for until none runs")
        if self.door is None or not self.spans():
            return self.answer(line="takes requests")
        if not self.door.runs:
            return self.answer(line="does not run, and takes no request when it does")
        here = self.door
        left: t.List[t.Optional[Dict]] = [None]

        def look() -> int | None:
            left[0] = door.in_flight(door.ask(self.docker, here))
            return None if left[0] is None else sum(left[0].values())

        running = hold.wait_until_none(look, max(self.params["drain_timeout"], 0), NOTICE, STEP)
        if running != 0:
            self.complain(running, left[0] or {})
        return self.answer(running=running, line="takes no new request, and none is running")

    def warn_of_others(self) -> None:
        others = self.params["others"]
        if self.door is None or others is None:
            return
        own = sorted({name for one in self.those_that_answer() for name in one.models})
        lacking = missed(own, others)
        if lacking is None:
            self.module.warn(NOBODY)
        elif lacking:
            self.module.warn(LACKS % ", ".join(lacking))

    def complain(self, running: int, models: Dict) -> None:
        seconds = self.params["drain_timeout"]
        by_model = ", ".join("%s: %d" % (name or "no model", count) for name, count in sorted(models.items()))
        if running < 0:
            said = "The door of this host did not tell within %d seconds how many requests are running" % seconds
        else:
            said = "%d requests were still running after %d seconds (%s)" % (running, seconds, by_model)
        if self.params["required"]:
            raise DrainError(
                "%s. The server stays drained: it takes no new request. Run this again to wait longer, with "
                "-e ollama_server_door_drain_timeout=3600 for an hour; the playbook gatehouse.ollama.undrain ends it."
                % said
            )
        self.module.warn("%s; those are cut off when their server is replaced" % said)

    def released(self) -> Dict:
        if self.door is None:
            return self.answer()
        holder = self.params["holder"]
        was = holder in self.spans()
        if not self.module.check_mode:
            hold.release(self.door.state, holder, time.time(), door.NAME)
        left = {name: span for name, span in self.spans().items() if name != holder}
        # Whatever kept them away: requests may have waited at the gateways instead.
        if not left and not self.module.check_mode:
            self.wait_for_gateways()
        if left:
            line = "takes no request yet, as it is drained by %s too" % ", ".join(sorted(left))
        elif was:
            line = "would take requests again" if self.module.check_mode else "takes requests again"
        else:
            line = "was not drained"
        return self.answer(changed=was, line=line)

    def wait_for_gateways(self) -> None:
        """They choose this server again, before another one is drained."""
        here, since, gateways = self.door, time.time(), set(self.params["gateways"])
        if here is None:
            return

        def look() -> int:
            return len(gateways - told(door.ask(self.docker, here), since))

        if gateways and hold.wait_until_none(look, AGAIN, AGAIN, STEP):
            text = "Not all of the gateways %s have asked within %d seconds whether this server takes requests again"
            self.module.warn(text % (", ".join(sorted(gateways)), AGAIN))


def told(found: t.Sequence[door.Status], since: float) -> set[str]:
    """Gateways that each of the instances told since then that it takes requests."""
    each = [{name for name, when in one.told.items() if when >= since} for one in found]
    return set.intersection(*each) if each else set()


def missed(models: t.Sequence[str], others: t.Sequence[Dict] | None) -> list[str] | None:
    """Which of these models no other server that takes requests has; None if no other one takes any."""
    taking = [one for one in others or [] if one.get("takes")]
    there = {name for one in taking for name in one.get("models") or []}
    return [name for name in models if name not in there] if taking else None


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(type="str", choices=["asked", "held", "drained", "released"], required=True),
            holder=dict(type="str", default="operator"),
            longest=dict(type="int", default=0),
            drain_timeout=dict(type="int", default=600),
            required=dict(type="bool", default=False),
            gateways=dict(type="list", elements="str", default=[]),
            others=dict(type="list", elements="dict"),
            project=dict(type="str", default="gatehouse-ollama"),
        ),
        supports_check_mode=True,
    )
    begun = time.monotonic()
    try:
        answer: Dict = getattr(Drain(module), module.params["state"])()
    except DrainError as error:
        module.fail_json(msg=str(error))
    except (GatehouseError, OSError) as error:
        text = "The door of this host cannot be asked: %s" % error
        if module.params["required"]:
            module.fail_json(msg=text)
        module.warn(text)
        answer = dict(changed=False, door=False, takes=False, models=[], gateways=[], spared=False, running=0, line="")
    module.exit_json(seconds=round(time.monotonic() - begun, 1), **answer)


if __name__ == "__main__":
    main()
