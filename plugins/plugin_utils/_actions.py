# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugins share: options, errors, and the way to a file on the host."""

from __future__ import annotations

import base64
import contextlib
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import DamagedFile, GatehouseError, HostFileError
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.records import Outcome
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.durations import DEFAULT_GRACE

Dict = dict[str, t.Any]

FILE_OPTIONS: Dict = {
    "path": {"type": "str", "required": True},
    "purge": {"type": "bool", "default": True},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw", "default": "0640"},
}
# raw: Ansible's own checks of a list of dictionaries quote the values that they do not like.
CLIENTS_OPTION: Dict = {"clients": {"type": "raw", "required": True}}
# raw: the command line gives them as text, with commas or as JSON.
ORDER_OPTIONS: Dict = {
    "rotate": {"type": "raw", "default": []},
    "revoke": {"type": "raw", "default": []},
    "grace": {"type": "str", "default": DEFAULT_GRACE},
}
RAW_OPTIONS = {*CLIENTS_OPTION, *ORDER_OPTIONS}


def plain(value: t.Any) -> t.Any:
    """`value` without Ansible's own kinds of strings, of which those from a vault are none before ansible-core 2.19."""
    if isinstance(value, str) or getattr(value, "__ENCRYPTED__", False):
        return str(value)
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


@contextlib.contextmanager
def unlogged(connection: t.Any) -> t.Iterator[None]:
    """Keep what modules return on the host out of the log: at -vvv a connection may print it, hashes included."""
    context = connection._play_context
    before = context.no_log
    context.no_log = True
    try:
        yield
    finally:
        context.no_log = before


class CredentialsAction(ActionBase):
    """An action that turns a GatehouseError into the failure of its task, in this one place."""

    ARGUMENTS: t.ClassVar[Dict]

    def run(self, tmp: str | None = None, task_vars: Dict | None = None) -> Dict:
        result: Dict = super().run(tmp, task_vars)
        # Before the validation, which makes a deep copy, and of Ansible's own kinds one takes a second for 10,000 keys.
        self._task.args.update(plain({name: self._task.args[name] for name in RAW_OPTIONS if name in self._task.args}))
        arguments: Dict = self.validate_argument_spec(self.ARGUMENTS)[1]
        try:
            result.update(self.apply(arguments, task_vars or {}))
        except GatehouseError as error:
            result.update(failed=True, changed=False, msg=str(error))
        finally:
            if self._connection is not None:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        raise NotImplementedError

    def run_id(self) -> str:
        """What all tasks of one ansible-playbook have in common, on every host and in every process, and no other has.

        Ansible numbers what it reads of a playbook, behind a random prefix of the process.
        """
        return str(self._task._uuid).rpartition("-")[0]

    def controller_path(self, path: str) -> str:
        """A path on the controller; a relative one begins at the playbook's folder."""
        return str(self._loader.path_dwim(path))


class HostFileAction(CredentialsAction):
    """An action that makes one file on the host from the clients."""

    TRANSFERS_FILES = False

    def apply(self, arguments: Dict, task_vars: Dict) -> Dict:
        path = arguments["path"]
        if not path.startswith("/"):
            raise HostFileError(f"path: it must be absolute, and is {path}")
        with unlogged(self._connection):
            try:
                outcome, extra = self.update(arguments, task_vars, lambda: self._read(arguments, task_vars))
            except DamagedFile as error:
                raise HostFileError(_how_to_go_on(path, error, arguments["purge"])) from None
            diffs = [{"before_header": path, "after_header": path, "before": outcome.before, "after": outcome.after}]
            changed = outcome.changed
            if not outcome.changed:
                attributes = self._set_attributes(arguments, task_vars)
                changed = bool(attributes.get("changed"))
                diffs += [attributes["diff"]] if changed and attributes.get("diff") else []
            elif not self._task.check_mode:
                options = {"path": path, "content": outcome.text, **attributes_of(arguments)}
                self._module("gatehouse.ollama.host_file", options, task_vars)
        names = {name: getattr(outcome, name) for name in ("added", "updated", "removed", "unchanged")}
        result = {**names, **extra, "changed": changed, "path": path}
        if self._task.diff and changed:
            result["diff"] = diffs
        return result

    def update(self, arguments: Dict, task_vars: Dict, read: t.Callable[[], bytes | None]) -> tuple[Outcome, Dict]:
        """What becomes of the file, and what else the task returns.

        It judges the options before it calls `read` for the file's content (None: no such file), and has an effect on
        the controller only once the file was found sound.
        """
        raise NotImplementedError

    def _read(self, arguments: Dict, task_vars: Dict) -> bytes | None:
        path = arguments["path"]
        answer = self._module("gatehouse.ollama.host_file", {"path": path, **attributes_of(arguments)}, task_vars)
        self._differs = answer.get("differs") is not False
        try:
            content = answer["content"]
            return None if content is None else base64.b64decode(content)
        except (KeyError, TypeError, ValueError):
            raise HostFileError(f"{path}: the host does not say what is in it") from None

    def _set_attributes(self, arguments: Dict, task_vars: Dict) -> Dict:
        """Give the file that was read its owner, group and mode."""
        if not self._differs:
            return {}
        options = {"path": arguments["path"], "state": "file", "follow": True, **attributes_of(arguments)}
        return self._module("ansible.legacy.file", options, task_vars)

    def _module(self, name: str, options: Dict, task_vars: Dict) -> Dict:
        answer = self._execute_module(module_name=name, module_args=options, task_vars=task_vars)
        return _sound(answer, options["path"])


def _sound(answer: Dict, path: str) -> Dict:
    """The answer of a module about a file, unless it failed."""
    if answer.get("failed"):
        raise HostFileError(f"{path}: {answer.get('msg')}")
    return answer


def attributes_of(arguments: Dict) -> Dict:
    return {name: arguments[name] for name in ("owner", "group", "mode") if arguments[name] is not None}


def _how_to_go_on(path: str, error: DamagedFile, purge: bool) -> str:
    whole = ", or the whole file to have it written anew," if purge else ""
    return f"{path}: {error}. Nothing was written. Correct or remove that line{whole} and run again."
