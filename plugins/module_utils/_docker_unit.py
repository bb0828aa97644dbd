# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd unit of Docker: which options it gives the daemon, and why a daemon does not start.

dockerd does not start where an option is in daemon.json and on its command line. The packages of Docker and of the
distributions start it with -H fd:// and --containerd.
"""

from __future__ import annotations

import glob
import os
import re
import typing as t

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# What the packages' unit starts, while they are not installed.
PACKAGED = "/usr/bin/dockerd -H fd://"
DROP_INS = "/etc/systemd/system/docker.service.d/*.conf"

# Flags whose key in daemon.json has another name; any other key is named as its flag.
_KEYS = {
    "-D": "debug",
    "-G": "group",
    "-H": "hosts",
    "-b": "bridge",
    "-g": "data-root",
    "-l": "log-level",
    "-p": "pidfile",
    "-s": "storage-driver",
    "--add-runtime": "runtimes",
    "--cluster-store-opt": "cluster-store-opts",
    "--default-ulimit": "default-ulimits",
    "--exec-opt": "exec-opts",
    "--host": "hosts",
    "--insecure-registry": "insecure-registries",
    "--label": "labels",
    "--log-opt": "log-opts",
    "--registry-mirror": "registry-mirrors",
    "--storage-opt": "storage-opts",
}
_ARGUMENTS = re.compile(r"argv\[\]=(.*?) ;")
_EXEC_START = re.compile(r"^\s*ExecStart\s*=[ \t]*(\S.*)$", re.MULTILINE)
_NO_NEWS = re.compile(r"level=(info|debug|warning)\b|[a-z]+\.service: ")

_HOSTS_TEXT = (
    "%s.hosts: the systemd unit starts Docker with %s, and Docker does not start where daemon.json says it too. Remove "
    "the key. If Docker is to listen elsewhere, first write a drop-in /etc/systemd/system/docker.service.d/hosts.conf "
    "with the lines [Service], ExecStart= and ExecStart=/usr/bin/dockerd (the unit's command without -H), and run "
    "`systemctl daemon-reload`; the key is taken then. For local users of Ollama there is ollama_server_publish"
)
_TEXT = (
    "%s.%s: the systemd unit starts Docker with %s, and Docker does not start where daemon.json says it too. Remove "
    "the key, or take the option out of the unit's command with a drop-in (`systemctl edit docker`)"
)


def key(flag: str) -> str:
    """The key of daemon.json that says the same as a flag of dockerd."""
    return _KEYS.get(flag) or flag.lstrip("-")


def flags(command: str) -> t.Dict[str, str]:
    """The flags in the command of a unit, as written, by the key of daemon.json that says the same."""
    words = command.split()
    found: t.Dict[str, str] = {}
    for place, word in enumerate(words):
        flag, equals, _value = word.partition("=")
        if not flag.startswith("-"):
            continue
        follows = words[place + 1] if place + 1 < len(words) else "-"
        found.setdefault(key(flag), word if equals or follows.startswith(("-", "$")) else "%s %s" % (word, follows))
    return found


def contradictions(options: t.Mapping[str, t.Any], command: str, variable: str) -> t.List[str]:
    """Options that the command gives, too; one that is to be removed is none."""
    given = flags(command)
    asked = [name for name, value in options.items() if value is not None and name in given]
    texts = {"hosts": _HOSTS_TEXT % (variable, given.get("hosts"))}
    return [texts.get(name) or _TEXT % (variable, name, given[name]) for name in asked]


def command(module: AnsibleModule) -> str:
    """The command line by which systemd starts Docker; that of the packages where it is not installed."""
    systemctl = module.get_bin_path("systemctl")
    if systemctl:
        _rc, stdout, _stderr = module.run_command([systemctl, "show", "docker.service", "--property=ExecStart"])
        found = _ARGUMENTS.findall(stdout)
        if found:
            return str(found[-1])
    return drop_in() or PACKAGED


def drop_in() -> str:
    """What drop-ins make of the command of a unit that is not installed yet; empty if they leave it."""
    command = ""
    for path in sorted(glob.glob(DROP_INS), key=os.path.basename):
        with open(path, encoding="utf-8", errors="replace") as f:
            command = ([command, *_EXEC_START.findall(f.read())])[-1]
    return command


def restart(module: AnsibleModule, service: str) -> str:
    """Restart Docker; why it does not start, empty if it does."""
    systemctl = module.get_bin_path("systemctl", required=True)
    # systemd refuses the fourth start within a minute, and Docker may just have been installed and configured.
    module.run_command([systemctl, "reset-failed", service])
    _rc, cursor, _stderr = module.run_command(["journalctl", "--lines=0", "--show-cursor", "--quiet"])
    rc, stdout, stderr = module.run_command([systemctl, "restart", service])
    if rc == 0:
        return ""
    found = re.search(r"-- cursor: (\S+)", cursor)
    since = ["--after-cursor=" + found.group(1)] if found else ["--lines=20"]
    unit = "_SYSTEMD_UNIT=%s.service" % service
    _rc, journal, _stderr = module.run_command(["journalctl", "--quiet", "--no-pager", "--output=cat", *since, unit])
    return reason(journal) or (stderr or stdout).strip()


def reason(journal: str) -> str:
    """What a daemon that did not start said last, without what is no news; systemd tries several times."""
    lines = [line.strip() for line in journal.splitlines() if line.strip() and not _NO_NEWS.search(line)]
    return "\n".join(list(dict.fromkeys(reversed(lines)))[:3][::-1])
