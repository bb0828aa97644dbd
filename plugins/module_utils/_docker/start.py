# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restart Docker, see that it runs, and say why it does not."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._docker import unit as docker_unit

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# Seconds in which a Docker that was started has to answer, and those it has to stay where it cannot be asked.
ANSWERS = 60
STAYS = 5
_HOST = re.compile(r"\s(?:-D?H|--host)[\s=]*(\S+)")
_LISTEN = re.compile(r"^Listen=(/.*) \(Stream\)$", re.MULTILINE)
_NO_NEWS = re.compile(r"""level"?[=:]"?(info|debug|warning)\b|[a-z]+\.service: """)


def on_signals(handler: t.Any) -> None:
    """What to do when somebody wants this process to end."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def restart(module: AnsibleModule, daemon_json: str) -> str:
    """Restart Docker; why it does not run then, empty if it does.

    Whatever comes between, signals too, is such a reason and is not raised: the caller has to put things right. It is
    not to be disturbed in that, so that signals are ignored from then on.
    """
    since, problem, interrupted = ["--lines=20"], "", ""
    try:
        _rc, cursor, _stderr = _run(module, "journalctl", "--lines=0", "--show-cursor", "--quiet")
        since = ["--after-cursor=" + found for found in re.findall(r"-- cursor: (\S+)", cursor)] or since
        problem = _start(module) or _look(module, daemon_json)
    except KeyboardInterrupt:
        interrupted = "the run was interrupted"
    except Exception as e:
        interrupted = "%s: %s" % (type(e).__name__, e)
    if not problem and not interrupted:
        return ""
    on_signals(signal.SIG_IGN)
    unit = "_SYSTEMD_UNIT=docker.service"
    _rc, journal, _stderr = _run(module, "journalctl", "--quiet", "--no-pager", "--output=cat", *since, unit)
    return docker_unit.mask("\n".join(filter(None, [interrupted, reason(journal) or problem])))


def _run(module: AnsibleModule, *args: str) -> tuple[int, str, str]:
    """Run a command; one that is not there fails like any other."""
    try:
        rc, stdout, stderr = module.run_command(list(args), handle_exceptions=False)
        return rc, stdout, stderr
    except OSError as e:
        return 127, "", "%s: %s" % (args[0], e.strerror)


def _start(module: AnsibleModule) -> str:
    # systemd refuses the fourth start within a minute, and Docker may just have been installed and configured.
    _run(module, "systemctl", "reset-failed", "docker.service")
    rc, stdout, stderr = _run(module, "systemctl", "restart", "docker.service")
    return (stderr or stdout).strip() or "systemctl says %d" % rc if rc else ""


def is_active(module: AnsibleModule) -> bool:
    return _run(module, "systemctl", "is-active", "docker.service")[0] == 0


def enable(module: AnsibleModule) -> bool:
    """Have Docker started with the host; tell whether that changes something."""
    if _run(module, "systemctl", "is-enabled", "docker.service")[0] == 0:
        return False
    if not module.check_mode:
        module.run_command(["systemctl", "enable", "docker.service"], check_rc=True)
    return True


def _look(module: AnsibleModule, daemon_json: str) -> str:
    """Why a Docker that was started does not run: a unit of Type=simple counts as started before anything is done."""
    paths = sockets(module, daemon_json)
    end = time.monotonic() + (ANSWERS if paths else STAYS)
    while True:
        rc, state, _stderr = _run(module, "systemctl", "is-active", "docker.service")
        if rc:
            return "it was started and is %s" % state.strip()
        if any(answers(path) for path in paths):
            return ""
        if time.monotonic() > end:
            return "it does not answer on %s" % " or ".join(paths) if paths else ""
        time.sleep(0.5)


def sockets(module: AnsibleModule, daemon_json: str) -> list[str]:
    """The sockets on which Docker is to answer; none if it listens elsewhere, or nobody knows where."""
    unit = docker_unit.command(module)
    hosts = _hosts(daemon_json) + _HOST.findall(unit)
    if not hosts and "$" not in unit:
        return ["/run/docker.sock"]
    paths = [host[len("unix://") :] or "/run/docker.sock" for host in hosts if host.startswith("unix://")]
    if any(host.startswith("fd:") for host in hosts):
        paths += _LISTEN.findall(_run(module, "systemctl", "show", "docker.socket", "--property=Listen")[1])
    return paths


def _hosts(daemon_json: str) -> list[str]:
    try:
        with open(daemon_json, encoding="utf-8") as f:
            return [str(host) for host in json.load(f)["hosts"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def answers(path: str) -> bool:
    """Whether Docker answers on the socket, whatever it says."""
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(2)
            s.connect(path)
            s.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return s.recv(5) == b"HTTP/"
    except OSError:
        return False


def reason(journal: str) -> str:
    """What a daemon that did not start said last, without what is no news; systemd tries several times."""
    lines = [line.strip() for line in journal.splitlines() if line.strip() and not _NO_NEWS.search(line)]
    return "\n".join(list(dict.fromkeys(reversed(lines)))[:3][::-1])
