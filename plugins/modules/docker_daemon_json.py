#!/usr/bin/python
# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon_json
short_description: Merge options into Docker's daemon.json
version_added: 0.1.0
description:
  - Internal to the roles of this collection, its options may change with any release.
  - Merges options into the configuration file of the Docker daemon. What others wrote there stays.
  - Dictionaries are merged key by key at every depth.
  - Of lists, the entries that are not there yet are appended, so that the registry mirrors of several writers live
    together.
  - Everything else is replaced. A value of V(null) removes the key.
  - A file that already says what is asked for is left as it is, in its own formatting.
  - An option that the systemd unit gives Docker on its command line is refused, for Docker does not start where both
    have it. Such is C(hosts) with the units of all packages.
options:
  path:
    description: The file. Missing directories above it are created.
    type: path
    default: /etc/docker/daemon.json
  options:
    description: What to merge into the file.
    type: dict
    required: true
  validate:
    description:
      - Command that checks the merged file before it takes its place, V(%s) stands for the path of the new content.
      - For instance C(dockerd --validate --config-file %s), which Docker Engine knows since version 23. An engine that
        says it does not know the flag is not asked.
    type: str
  restart:
    description:
      - Start a Docker that does not run. Restart it after a change, and see that it answers. Where it does not run with
        the new file, the former one is put back, Docker is started again, and the module fails with what Docker said.
      - Until then the former file lies beside the new one as C(daemon.json.gatehouse-former), a link to C(/dev/null) if
        there was none. Where a run was killed, the next one finds it there, restarts Docker, and puts it back if Docker
        does not run. What it replaces then, which may be somebody's work since, is kept as
        C(daemon.json.gatehouse-refused).
    type: bool
    default: false
  restart_unchanged:
    description: With O(restart), restart Docker also where the file is as it should be, for it was started too early.
    type: bool
    default: false
  runtime:
    description:
      - With O(restart), a runtime that the running Docker has to know. Where it does not, Docker is restarted, also
        where the file is as it should be. It is an error if Docker does not know it then.
    type: str
  enabled:
    description: Whether Docker is to be started with the host, too. V(false) leaves that as it is.
    type: bool
    default: false
  variable:
    description: The variable that errors name in the place of O(options).
    type: str
    default: options
attributes:
  check_mode:
    description: Can run in check mode and tell what would change.
    support: full
  diff_mode:
    description:
      - Returns the keys that change, at every depth, and the names of the others, which stay. It does not show what
        those hold, for that may be secret.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
notes:
  - The daemon reads the file when it starts.
author:
  - Gatehouse maintainers (@gatehouse-ollama)
"""

EXAMPLES = r"""
---
- name: Limit the size of container logs and keep the rest of the file
  gatehouse.ollama.docker_daemon_json:
    options:
      log-driver: local
      log-opts:
        max-size: 10m
    validate: dockerd --validate --config-file %s
    restart: true
"""

RETURN = r"""
path:
  description: The file, with symbolic links resolved.
  type: str
  returned: success
"""

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import start as docker_start
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import unit as docker_unit
from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import BadInput, GatehouseError
from ansible_collections.gatehouse.ollama.plugins.module_utils._files.replace import replace

# Behind the name of the file: the former one, kept until Docker is seen running with its successor.
FORMER = ".gatehouse-former"
# What Docker did not run with, and somebody may have written since an earlier run was killed.
REFUSED = ".gatehouse-refused"


class DaemonJsonError(GatehouseError):
    """The file cannot be used; the text names it and says why."""


def parse(path: str, text: str) -> dict[str, t.Any]:
    """Return the options in the text of the file; Docker takes an empty file for no options."""
    if not text.strip():
        return {}
    try:
        options = json.loads(text)
    except ValueError as e:
        where = f"line {e.lineno}, column {e.colno}: {e.msg}" if isinstance(e, json.JSONDecodeError) else str(e)
        raise DaemonJsonError(f"{path} is not valid JSON ({where}). Correct or remove it; nothing was changed.") from e
    if not isinstance(options, dict):
        raise DaemonJsonError(
            f'{path} must hold one JSON object, as in {{"log-driver": "local"}}. '
            "Correct or remove it; nothing was changed."
        )
    return options


def merge(current: dict[str, t.Any], wanted: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return a new dictionary: current with wanted merged in. Keys keep their order, new ones come last."""
    result = dict(current)
    for key, value in wanted.items():
        present = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merge(present if isinstance(present, dict) else {}, value)
        elif isinstance(value, list) and isinstance(present, list):
            result[key] = present + [entry for entry in value if entry not in present]
        else:
            result[key] = value
    return result


def differing(this: dict[str, t.Any], other: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what this has and other has not, or has otherwise. What both hold may be secret: it is not for a diff."""
    result: dict[str, t.Any] = {}
    for key, value in this.items():
        if key not in other:
            result[key] = value
        elif value != other[key]:
            both = isinstance(value, dict) and isinstance(other[key], dict)
            result[key] = differing(value, other[key]) if both else value
    return result


def kept(this: dict[str, t.Any], other: dict[str, t.Any]) -> list[str]:
    """Return the names of what both have alike, those at a depth behind those above them."""
    names = []
    for key in this:
        if key in other and this[key] == other[key]:
            names.append(key)
        elif isinstance(this[key], dict) and isinstance(other.get(key), dict):
            names += [f"{key}.{name}" for name in kept(this[key], other[key])]
    return names


def as_text(options: dict[str, t.Any]) -> str:
    return json.dumps(options, indent=2, ensure_ascii=False) + "\n"


def read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as e:
        raise DaemonJsonError(f"{path} cannot be read: {e}. Nothing was changed.") from e


def validate(module: AnsibleModule, path: str, text: str) -> None:
    """Ask the engine what it says to the text."""
    if not module.params["validate"]:
        return
    descriptor, temporary = tempfile.mkstemp(prefix="daemon-json-", dir=module.tmpdir)
    module.add_cleanup_file(temporary)
    with os.fdopen(descriptor, "w", encoding="utf-8") as f:
        f.write(text)
    command = [part.replace("%s", temporary) for part in shlex.split(module.params["validate"])]
    rc, stdout, stderr = module.run_command(command)
    if rc != 0 and "unknown flag: --validate" not in stderr:
        said = docker_unit.mask((stderr or stdout).replace(temporary, path).strip())
        raise DaemonJsonError(f"{path} was not changed, because Docker refuses what it would hold: {said}")


def write(module: AnsibleModule, path: str, text: str) -> None:
    """Put the text in the place of the file in one step. An existing file lends its owner and mode to the new one."""
    replace(module, path, text.encode(), None if os.path.exists(path) else 0o644)


def keep(path: str) -> None:
    """Keep the file beside itself, by a second name that costs no room; a link to nothing means that there is none."""
    if is_unfinished(path):
        return
    if os.path.exists(path):
        second_name(path, path + FORMER)
    else:
        os.symlink(os.devnull, path + FORMER)


def second_name(path: str, other: str) -> None:
    try:
        os.link(path, other)
    except PermissionError:
        # Some file systems know no second names.
        shutil.copy2(path, other)


def is_unfinished(path: str) -> bool:
    """Whether the file was changed, and Docker not seen running since."""
    return os.path.lexists(path + FORMER)


def put_back(path: str) -> None:
    """Put the former file back, which needs no room. It stays kept until Docker runs with it."""
    if os.path.islink(path + FORMER):
        remove(path)
        return
    os.replace(path + FORMER, path)
    with contextlib.suppress(OSError):
        second_name(path, path + FORMER)


def set_aside(path: str) -> None:
    """Keep what may be replaced."""
    remove(path + REFUSED)
    with contextlib.suppress(FileNotFoundError):
        second_name(path, path + REFUSED)


def remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def start(module: AnsibleModule, path: str) -> str:
    """Restart Docker, with the former file if it does not run with this one; return why, empty if it does."""
    docker_start.on_signals(signal.default_int_handler)
    said = docker_start.restart(module, path)
    if not said:
        remove(path + FORMER)
        return ""
    put_back(path)
    still = docker_start.restart(module, path)
    if not still:
        remove(path + FORMER)
    state = "It does not start with that either: %s" % still if still else "It runs again with that."
    return "%s. %s was put back as it was. %s" % (said.rstrip("."), path, state)


def change(module: AnsibleModule, path: str, text: str) -> None:
    """Put the text in the place of the file; what was there comes back if Docker does not run with it."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    if not module.params["restart"]:
        write(module, path, text)
        return
    keep(path)
    try:
        write(module, path, text)
    except BaseException:
        put_back(path)
        remove(path + FORMER)
        raise
    said = start(module, path)
    if said:
        raise DaemonJsonError("%s: Docker does not start with them: %s" % (module.params["variable"], said))


def finish(module: AnsibleModule, path: str) -> None:
    """Bring to an end what a run began that was killed."""
    parse(path, read(path))
    set_aside(path)
    said = start(module, path)
    if said:
        text = "An earlier run changed %s and was killed. Docker does not start with that: %s It is kept as %s."
        module.warn(text % (path, said, path + REFUSED))
        return
    remove(path + REFUSED)


@contextlib.contextmanager
def alone(folder: str) -> t.Iterator[None]:
    """Wait for another run that changes a file in this folder."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def missing_runtime(module: AnsibleModule) -> str:
    """Why the running Docker does not know the runtime that it has to; empty if it does, or there is none."""
    runtime = module.params["runtime"]
    if not runtime:
        return ""
    answer = Docker(module).run("info", "--format={{json .Runtimes}}")
    if f'"{runtime}":' in answer.stdout:
        return ""
    return (
        f"Docker does not know the runtime {runtime}, although it stands in {module.params['path']} and Docker was "
        f"restarted ({answer.stderr}). Is the daemon started with another file (--config-file), or is it that of a "
        "snap? On the host, `systemctl cat docker` and `journalctl -u docker` say more."
    )


def restart_unchanged(module: AnsibleModule, path: str) -> bool:
    """Whether a Docker that does not run, or was started too early, is started with the file that is there."""
    runs_well = not missing_runtime(module) if module.params["runtime"] else docker_start.is_active(module)
    if runs_well and not module.params["restart_unchanged"]:
        return False
    said = "" if module.check_mode else docker_start.restart(module, path)
    if said:
        more = "On the host, `systemctl status docker` and `journalctl -u docker` say more."
        raise DaemonJsonError(f"Docker does not start: {said.rstrip('.')}. {more}")
    return True


def bring(module: AnsibleModule, path: str) -> dict[str, t.Any]:
    """Bring the file to what it is to hold; return the result of the module."""
    contradictions = docker_unit.contradictions(
        module.params["options"], docker_unit.command(module), module.params["variable"]
    )
    if contradictions:
        raise BadInput(contradictions)
    unfinished = module.params["restart"] and is_unfinished(path)
    if unfinished and module.check_mode:
        module.warn("An earlier run changed %s and was killed. The next one restarts Docker." % path)
    elif unfinished:
        finish(module, path)
    current = parse(path, read(path))
    merged = merge(current, module.params["options"])
    changed = merged != current
    if changed:
        validate(module, path, as_text(merged))
    if changed and not module.check_mode:
        change(module, path, as_text(merged))
    # Also after an unfinished run: Docker may not have run with either file.
    restarted = module.params["restart"] and (changed or restart_unchanged(module, path) or unfinished)
    said = missing_runtime(module) if restarted and not module.check_mode else ""
    if said:
        raise DaemonJsonError(said)
    enabled = module.params["enabled"] and docker_start.enable(module)
    stay = kept(current, merged)
    return {
        "changed": changed or restarted or enabled,
        "path": path,
        "diff": {
            "before_header": path,
            "after_header": f"{path} (these keys stay: {', '.join(stay)})" if stay else path,
            "before": as_text(differing(current, merged)),
            "after": as_text(differing(merged, current)),
        },
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="path", default="/etc/docker/daemon.json"),
            options=dict(type="dict", required=True),
            validate=dict(type="str"),
            restart=dict(type="bool", default=False),
            restart_unchanged=dict(type="bool", default=False),
            runtime=dict(type="str"),
            enabled=dict(type="bool", default=False),
            variable=dict(type="str", default="options"),
        ),
        supports_check_mode=True,
    )
    path = os.path.realpath(module.params["path"])
    try:
        with alone(os.path.dirname(path)):
            result = bring(module, path)
    except GatehouseError as e:
        module.fail_json(msg=str(e))
    except OSError as e:
        module.fail_json(msg=f"{path} cannot be written: {e}. It is as it was.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
