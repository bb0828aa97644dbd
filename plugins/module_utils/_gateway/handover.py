# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One gateway takes over from another in the same pod: both listen there for a moment, and no connection is refused.

Sources: socket(7) on SO_REUSEPORT, which only processes of one user share; the kernel's ip-sysctl on tcp_migrate_req,
which hands what one of them has not yet accepted to another; nginx's manual on SIGQUIT, the signal by which it ends
when its last request has.
"""

from __future__ import annotations

import os
import signal
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Dict, is_running, name_of
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway import containers, listening, previous
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway.containers import Containers
from ansible_collections.gatehouse.ollama.plugins.module_utils._gateway.waiting import within
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import gateway as wall

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

PORT = 8080
# What starts containers that belong together again, beside Docker.
KEEPER = "gatehouse-gateway.service"
# Where the kernel is too old to hand connections over, about one of a thousand is reset.
MIGRATES = "/proc/sys/net/ipv4/tcp_migrate_req"
# Seconds that requests have to end where the published address itself changes, and nobody new can come meanwhile.
GAP = 30


class NotTakenOver(GatehouseError):
    """The new gateway does not run; the text says what was seen."""


class Handover:
    def __init__(self, module: AnsibleModule, there: Containers) -> None:
        self.module, self.there = module, there

    def is_current(self) -> bool:
        """Whether the gateway that is described runs, with what is on disk."""
        live = self.there.live
        folders = [os.path.join(self.there.folder, name) for name in wall.CONFIGURATION]
        return live is not None and is_running(live) and wall.runs_what_is_there(live["State"]["Pid"], folders)

    def _running(self) -> list[Dict]:
        """Gateways other than the one that is described which take connections."""
        return [one for one in self.there.others if is_running(one) and not self._ends(one)]

    def gaps(self, text: str) -> list[str]:
        """Why nobody can come in for a moment when this description takes the place of what runs."""
        live, pod = self.there.live, self.there.pod
        described = containers.described_in(text)
        running = self._running()
        # The one that runs is to be another, whose number may not be known yet.
        if live and is_running(live) and text != self.there.description.text:
            running.append(live)
        if not running:
            return []
        if pod is None or not all(one["HostConfig"]["NetworkMode"].startswith("container:") for one in running):
            return ["the gateway gets a pod, which later ones share"]
        wanted = self.there.wanted(text)
        found = []
        if pod["Config"]["Labels"].get("com.docker.compose.config-hash") != wanted["pod"]:
            found.append("what is published, or a network, is another")
        user = str(wanted["services"].get(described.service, {}).get("user"))
        if any(one["Config"]["User"] != user for one in running):
            found.append("processes of two users cannot listen at one port (ollama_gateway_user_id)")
        return found

    def begin(self) -> list[str]:
        """Make room for the gateway that is described now; returns why there is a gap, if so."""
        live, serving = self.there.live, self.there.serving
        gaps = self.gaps(self.there.description.text)
        if gaps:
            # Otherwise it would start again what is about to go.
            self._systemctl("stop", KEEPER)
            old = [one["Id"] for one in self.there.others if is_running(one)]
            self.there.docker.change("stop", f"--time={GAP}", *old)
        if serving and containers.service(serving) != self.there.description.service:
            self.there.docker.change("rename", serving["Id"], self._drained_name(serving))
        elif live and serving is None:
            self.there.docker.change("rename", live["Id"], self.there.name)
        return gaps

    def _drained_name(self, one: Dict) -> str:
        return f"{self.there.project}-drained-{one['Id'][:12]}"

    def serve(self, patience: int) -> bool:
        """Have the gateway that is described serve, with what is on disk. Raises NotTakenOver.

        Returns whether it was told to read its files again.
        """
        if self.module.check_mode and not is_running(self.there.live):
            return False
        self._wait(patience)
        reloaded = not self.is_current()
        live = self.there.live
        if live and reloaded and not self.module.check_mode:
            # Not by `docker kill`: whatever the signal, Docker then takes the container for one that somebody stopped,
            # and does not start it when the host does.
            os.kill(live["State"]["Pid"], signal.SIGHUP)
            if not within(patience, self.is_current):
                raise NotTakenOver("it does not read its configuration again, and goes on with the one before")
        return reloaded

    def drain(self, seconds: int) -> list[str]:
        """Have the gateways before it end what they have; returns the names of those that do."""
        return [name for one in self.there.others for name in self._drain(one, seconds)]

    def _wait(self, patience: int) -> None:
        def is_there() -> bool:
            self.there.look()
            live = self.there.live
            return is_running(live) and listening.listens(live["State"]["Pid"], PORT)

        if not within(patience, is_there):
            live = self.there.live
            state = live["State"] if live else {"Status": "not there"}
            raise NotTakenOver(f"within {patience} s it does not listen, and is {state['Status']}. {self.said()}")

    def said(self) -> str:
        """What the gateway that is described said last."""
        live = self.there.live
        return f"It said: {self.there.docker.last_words(live['Id']) or 'nothing.'}" if live else ""

    def _drain(self, one: Dict, seconds: int) -> list[str]:
        """Let it end what it has; what has ended is removed."""
        if not is_running(one):
            self.there.docker.change("rm", one["Id"])
            return []
        if self._ends(one):
            return []
        unit = self._unit(one)
        script = 'docker stop --time="$1" "$2" && docker rm "$2"'
        command = ["systemd-run", "--quiet", "--collect", f"--unit={unit}", "/bin/sh", "-c", script, "drain"]
        if not self.module.check_mode:
            self.module.run_command([*command, str(seconds), one["Id"]], check_rc=True, expand_user_and_vars=False)
            # After it was told to end: one that goes on has to hear.
            self._leave_http3(one)
        return [name_of(one)]

    def _leave_http3(self, one: Dict) -> None:
        """Until it ends, it would be sent half of those who are new, and nginx answers none of them any more."""
        try:
            listening.hear_nobody(one["State"]["Pid"], PORT)
        except OSError as error:
            self.module.warn(
                f"New connections of HTTP/3 may have to try twice until {name_of(one)} has ended its last request: "
                f"its sockets cannot be taken from it ({error})"
            )

    def _ends(self, one: Dict) -> bool:
        return self._systemctl("is-active", "--quiet", self._unit(one) + ".service")

    def _unit(self, one: Dict) -> str:
        return f"gatehouse-gateway-drain-{one['Id'][:12]}"

    def _systemctl(self, verb: str, *arguments: str) -> bool:
        if self.module.check_mode and verb in ("start", "stop"):
            return True
        return bool(self.module.run_command(["systemctl", verb, *arguments])[0] == 0)

    def undo(self, is_kept: bool) -> str:
        """Go back to what ran before; returns what the new one said.

        Where its files were not kept, it goes on with what it has read.
        """
        if self.module.check_mode:
            return self.said()
        # Where this run went back: to the one that ran until then.
        previous.forget_interrupted(self.there.folder)
        running = self._running()
        if not is_kept:
            said = self.said()
            live = self.there.live
            if live and running:
                self.there.docker.change("rm", "--force", live["Id"])
                self.there.docker.change("rename", running[0]["Id"], self.there.name)
            return said
        kept = previous.read(self.there.folder)
        before = containers.described_in(kept.text)
        new, pod, said = self.there.live, self.there.pod, ""
        # It may have failed before there was a new one.
        if new and containers.service(new) != before.service:
            said = self.said()
            self.there.docker.change("rm", "--force", new["Id"])
        old = next((one for one in self.there.all if containers.service(one) == before.service), None)
        is_ending = bool(old) and self._ends(old)
        # One that was told to end is made anew, under another number.
        number = self.there.description.number + 1 if is_ending else before.number
        goes_on = bool(old) and not is_ending and is_running(old) and (pod is not None or not before.number)
        text = kept.text if goes_on or not number else containers.as_number(kept.text, number, kept.image)
        previous.put_back(self.there.folder, text)
        if pod and not before.number:
            self.there.docker.change("rm", "--force", pod["Id"])
        if old and not is_ending and name_of(old) != self.there.name:
            self.there.docker.change("rename", old["Id"], self.there.name)
        self.there = Containers(self.there.docker, self.there.project, self.there.folder)
        if not goes_on:
            self.there.compose("up", "--detach", "--pull=never")
        self.serve(GAP)
        self._systemctl("start", KEEPER)
        return said
