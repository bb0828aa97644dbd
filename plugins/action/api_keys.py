# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.clients import (
    Client,
    Key,
    Rules,
    present_keys,
    read_clients,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import file as key_file
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.line import OLD, Entry
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.memory import (
    GIVEN,
    REVOKED,
    KeyMemory,
    recall,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.orders import (
    Names,
    Orders,
    read_orders,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.rotation import (
    Known,
    Verdict,
    is_foreign,
    is_over,
    judge,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys.store import SecretStore
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput
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
    """What is asked for, and what the controller knows of it."""

    clients: t.List[Client]
    keys: t.List[Key]
    orders: Orders
    known: t.Dict[str, Known]
    store: t.Optional[SecretStore]

    def judge(self, there: t.Mapping[str, Entry]) -> dict[str, Verdict]:
        return {key.name: judge(key, self.known[key.name], there.get(key.name), self.orders) for key in self.keys}

    def recall(self, keys: list[Key]) -> None:
        known, problems = recall(keys, self.store, self.orders)
        if problems:
            raise BadInput(problems)
        self.known.update(known)


class ActionModule(HostFileAction):
    ARGUMENTS: t.ClassVar[Dict] = {
        **FILE_OPTIONS,
        **CLIENTS_OPTION,
        **ORDER_OPTIONS,
        "secrets_dir": {"type": "path"},
        "allow_weak_secrets": {"type": "bool", "default": False},
        "return_secrets": {"type": "bool", "default": False},
    }

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        if arguments["secrets_dir"] and not self._task.check_mode:
            refuse_visible(self.controller_path(arguments["secrets_dir"]), "secrets", task_vars)
        return super().apply(arguments, task_vars)

    def prepare(self, arguments: Dict) -> t.Callable[[bytes | None], tuple[Outcome, Dict]]:
        rules = Rules(keys=True, allow_weak_secrets=arguments["allow_weak_secrets"])
        clients, problems = read_clients(arguments["clients"], "clients", rules)
        now = datetime.datetime.now(datetime.timezone.utc)
        orders, more = read_orders(arguments, clients, self.run_id(), now, Names())
        directory = arguments["secrets_dir"]
        store = SecretStore(self.controller_path(directory)) if directory else None
        keys = present_keys(clients)
        known, yet_more = recall(keys, store, orders)
        if problems or more or yet_more:
            raise BadInput(problems + more + yet_more)
        job = Job(clients, keys, orders, known, store)
        return lambda content: self._decide(content, job, arguments["purge"], arguments["return_secrets"])

    def _decide(self, content: bytes | None, job: Job, purge: bool, return_secrets: bool) -> tuple[Outcome, Dict]:
        there = key_file.named(content)
        verdicts = job.judge(there)
        # Also finds what is wrong with the file, before a key is generated.
        outcome = key_file.update(content, job.clients, verdicts, purge, job.orders.now)
        acting = [key for key in job.keys if verdicts[key.name].acts]
        generated = [key for key in acting if key.secret is None]
        if job.store and not self._task.check_mode:
            memory = KeyMemory(job.store)
            generated = [key for key in acting if memory.act(key, there.get(key.name), job.orders)]
            _revoke(memory, job, there)
            if acting:
                # From the store in any case: another process may have been first.
                job.recall(acting)
                verdicts = job.judge(there)
                outcome = key_file.update(content, job.clients, verdicts, purge, job.orders.now)
            memory.remember([key for key in job.keys if not verdicts[key.name].blocked], job.known)
            _forget(memory, job, outcome, there)
        result = _result(job, verdicts, there, generated)
        if return_secrets:
            made = [] if self._task.check_mode else generated
            result["secrets"] = [{"client": k.client, "id": k.id, "secret": verdicts[k.name].secret} for k in made]
            # Ansible prints nothing of this result then, and register still gets it.
            result["_ansible_no_log"] = bool(made)
        return outcome, result


def _revoke(memory: KeyMemory, job: Job, there: t.Mapping[str, Entry]) -> None:
    for key in (key for client in job.clients for key in client.keys if key.name in job.orders.revoke):
        entries = (there.get(key.name), there.get(key.name + OLD))
        memory.revoke(key, [entry.digest for entry in entries if entry])


def _forget(memory: KeyMemory, job: Job, outcome: Outcome, there: t.Mapping[str, Entry]) -> None:
    """Forget the rotations that are over, and the keys that are not to be in the file any more."""
    keys = {key.name: key for key in job.keys}
    for name, key in keys.items():
        marker = job.known[name].marker
        if marker and is_over(key, marker, job.orders):
            memory.forget(name, key, job.orders)
    gone = [name for name in outcome.removed if name not in keys and not name.endswith(OLD)]
    # Without a note nothing is locked: a folder that holds nothing is not made, nor one written to.
    noted = memory.store.names() if gone else set()
    for name in gone:
        # A host on which somebody planted its name does not end what others have of a key.
        if {name + OLD, name + GIVEN} & noted and memory.wrote(name, there[name].digest):
            memory.forget(name, None, job.orders)


def _result(job: Job, verdicts: t.Mapping[str, Verdict], there: t.Mapping[str, Entry], generated: list[Key]) -> Dict:
    let_in = [key for key in job.keys if not verdicts[key.name].blocked]
    secrets = [(key.name, verdicts[key.name].secret) for key in let_in]
    digests = {name: key_form.digest(secret) for name, secret in secrets if secret is not None}
    old = key_file.superseded(let_in, verdicts, set(digests.values()), job.orders.now, there)
    extra: Dict = {
        "generated": [
            {"client": key.client, "id": key.id, "path": job.store.path(key.name)} for key in generated if job.store
        ],
        "rotated": [key.name for key in let_in if _is_rotated(verdicts[key.name], there.get(key.name))],
        "revoked": [key.name for key in job.keys if verdicts[key.name].blocked],
        "ends": {entry.name: entry.expires for entry in old.values()},
        "fingerprints": {name: key_form.fingerprint(digest) for name, digest in digests.items()},
    }
    warnings = _warnings(job, verdicts, there)
    if warnings:
        extra["warnings"] = warnings
    return extra


def _is_rotated(verdict: Verdict, line: Entry | None) -> bool:
    return bool(verdict.marker and line and verdict.marker.old == line.digest)


def _warnings(job: Job, verdicts: t.Mapping[str, Verdict], there: t.Mapping[str, Entry]) -> list[str]:
    warnings = []
    for key in job.keys:
        rotates = (key.rotated or key.name in job.orders.rotate) and not verdicts[key.name].blocked
        if rotates and is_foreign(job.known[key.name], verdicts[key.name], there.get(key.name)):
            text = "%s: the host's key (fingerprint %s) is not one that this controller wrote last: it ends at once"
            warnings.append(text % (key.place, key_form.fingerprint(there[key.name].digest)))
        if key.expires and key_form.is_past(key.expires):
            warnings.append("%s: the key expired on %s; the gateway refuses it" % (key.place, key.expires))
        if verdicts[key.name].idle:
            text = "%s: the host has this secret already, so there is nothing to rotate; give the key a new secret"
            warnings.append(text % key.place)
        if verdicts[key.name].blocked and job.store:
            anew = "have a new one generated" if key.secret is None else "let it in again"
            text = "%s: the key was revoked, and is refused; remove it from the list, give it a new secret, or remove "
            text += "the file %s to %s"
            warnings.append(text % (key.place, job.store.path(key.name + REVOKED), anew))
    return warnings
