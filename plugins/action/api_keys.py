# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import (
    Key,
    Names,
    Orders,
    Rules,
    present_keys,
    read_clients,
    read_orders,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.file import Entry, KeyFile
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.form import OLD
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import (
    GIVEN,
    REVOKED,
    KeyMemory,
    Known,
    Verdict,
    is_foreign,
    is_over,
    judge,
    recall,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import Outcome
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._actions import (
    CLIENTS_OPTION,
    FILE_OPTIONS,
    ORDER_OPTIONS,
    Dict,
    HostFileAction,
)
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._inventory_folders import refuse_visible


@dataclass
class Job:
    """What is asked for, what the controller knows of it and the host has, and what follows from that for each key."""

    keys: list[Key]
    orders: Orders
    memory: KeyMemory | None
    known: dict[str, Known]
    file: KeyFile
    verdicts: dict[str, Verdict]


class ActionModule(HostFileAction):
    ARGUMENTS: t.ClassVar[Dict] = {
        **FILE_OPTIONS,
        **CLIENTS_OPTION,
        **ORDER_OPTIONS,
        "secrets_dir": {"type": "path"},
        "allow_weak_secrets": {"type": "bool", "default": False},
        "return_secrets": {"type": "bool", "default": False},
    }

    def update(self, arguments: Dict, task_vars: Dict, read: t.Callable[[], bytes | None]) -> tuple[Outcome, Dict]:
        check_mode, directory = self._task.check_mode, arguments["secrets_dir"]
        memory = KeyMemory(self.controller_path(directory)) if directory else None
        if memory and not check_mode:
            refuse_visible(memory.directory, "secrets", task_vars)
        problems = Problems()
        rules = Rules(keys=True, allow_weak_secrets=arguments["allow_weak_secrets"])
        clients = read_clients(arguments["clients"], "clients", rules, problems)
        orders = read_orders(arguments, clients, self.run_id(), Names(), problems)
        keys = present_keys(clients)
        known = recall(keys, memory, orders, problems)
        problems.raise_any()

        file = KeyFile(read())
        verdicts = {key.name: judge(key, known[key.name], file.digest(key.name), orders) for key in keys}
        # Also finds what is wrong with the file, before a key is generated.
        outcome, entries = file.update(clients, verdicts, arguments["purge"], orders.now)
        job = Job(keys, orders, memory, known, file, verdicts)
        if memory and not check_mode:
            acting = [key for key in keys if verdicts[key.name].acts]
            for key in acting:
                # Judged once more, under the lock: another process may have been first.
                verdicts[key.name] = memory.act(key, file.digest(key.name), orders)
            if acting:
                outcome, entries = file.update(clients, verdicts, arguments["purge"], orders.now)
            for key in (key for client in clients for key in client.keys if key.name in orders.revoke):
                memory.revoke(key, filter(None, map(file.digest, (key.name, key.name + OLD))))
            _keep(memory, job, outcome)
        generated = [key for key in keys if verdicts[key.name].acts and key.secret is None]
        result = _result(job, entries, generated)
        if arguments["return_secrets"]:
            made = [] if check_mode else generated
            result["secrets"] = [{"client": k.client, "id": k.id, "secret": verdicts[k.name].secret} for k in made]
            # Ansible prints nothing of this result then, and register still gets it.
            result["_ansible_no_log"] = bool(made)
        return outcome, result


def _keep(memory: KeyMemory, job: Job, outcome: Outcome) -> None:
    """Remember what the host has now; forget the rotations that are over, and the keys that are gone from the file."""
    memory.remember([key for key in job.keys if not job.verdicts[key.name].blocked], job.known)
    for key in job.keys:
        if is_over(key, job.known[key.name].marker, job.orders):
            memory.end_rotation(key, job.orders)
    gone = [name for name in outcome.removed if name not in job.known and not name.endswith(OLD)]
    # Without a note nothing is locked: a folder that holds nothing is not made, nor one written to.
    noted = memory.names() if gone else set()
    for name in gone:
        if {name + OLD, name + GIVEN} & noted:
            memory.forget(name, str(job.file.digest(name)))


def _result(job: Job, entries: t.Mapping[str, Entry], generated: list[Key]) -> Dict:
    result: Dict = {
        "generated": [
            {"client": key.client, "id": key.id, "path": job.memory.path(key.name)} for key in generated if job.memory
        ],
        "rotated": [key.name for key in job.keys if job.verdicts[key.name].supersedes(job.file.digest(key.name))],
        "revoked": [key.name for key in job.keys if job.verdicts[key.name].blocked],
        "ends": {name: entry.expires for name, entry in entries.items() if name.endswith(OLD)},
        "fingerprints": {
            name: key_form.fingerprint(entry.digest) for name, entry in entries.items() if not name.endswith(OLD)
        },
    }
    warnings = [f"{key.place}: {text}" for key in job.keys for text in _warnings(job, key)]
    return {**result, "warnings": warnings} if warnings else result


def _warnings(job: Job, key: Key) -> t.Iterator[str]:
    verdict, there = job.verdicts[key.name], job.file.digest(key.name)
    rotates = (key.rotated or key.name in job.orders.rotate) and not verdict.blocked
    if there and rotates and is_foreign(job.known[key.name], verdict, there):
        shown = key_form.fingerprint(there)
        yield f"the host's key (fingerprint {shown}) is not one that this controller wrote last: it ends at once"
    if key.expires and key.expires <= job.orders.now:
        yield f"the key expired on {key.expires}; the gateway refuses it"
    if verdict.idle:
        yield "the host has this secret already, so there is nothing to rotate; give the key a new secret"
    if verdict.blocked and job.memory:
        anew = "have a new one generated" if key.secret is None else "let it in again"
        advice = (
            f"remove it from the list, give it a new secret, or remove the file {job.memory.path(key.name + REVOKED)}"
        )
        yield f"the key was revoked, and is refused; {advice} to {anew}"
