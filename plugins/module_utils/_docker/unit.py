# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd unit of Docker: which options it gives the daemon.

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

# The flags of one letter. Those without a value may share a word with the next, as in -DH fd://.
_LETTERS = {
    "D": "debug",
    "G": "group",
    "H": "host",
    "b": "bridge",
    "g": "data-root",
    "l": "log-level",
    "p": "pidfile",
    "s": "storage-driver",
}
_WITHOUT_VALUE = "D"
# Of any other dictionary in daemon.json, Docker reads the keys as if they stood outside it, such as those of proxies.
_DICTIONARIES = (
    "builder",
    "cluster-store-opts",
    "default-network-opts",
    "default-ulimits",
    "features",
    "log-opts",
    "nri-opts",
    "runtimes",
)
_ARGUMENTS = re.compile(r"argv\[\]=(.*?) ;")
_EXEC_START = re.compile(r"^\s*ExecStart\s*=[ \t]*(\S.*)$", re.MULTILINE)

_TEXT = (
    "%s: the systemd unit starts Docker with %s, and Docker does not start where daemon.json says it too. "
    "Remove the key%s"
)
_HOSTS_WAY = (
    ". If Docker is to listen elsewhere, first write a drop-in /etc/systemd/system/docker.service.d/hosts.conf "
    "with the lines [Service], ExecStart= and ExecStart=/usr/bin/dockerd (the unit's command without -H), and run "
    "`systemctl daemon-reload`; the key is taken then. For local users of Ollama there is ollama_server_publish"
)
_WAY = ", or take the option out of the unit's command with a drop-in (`systemctl edit docker`)"


def names(word: str) -> list[str]:
    """The flags that a word of a command names: one for --host=x, -H and -Hfd://, two for -DH."""
    if word.startswith("--"):
        return [word[2:].partition("=")[0]]
    found = []
    for letter in word[1:] if word.startswith("-") else "":
        found.append(_LETTERS.get(letter, letter))
        if letter not in _WITHOUT_VALUE:
            break
    return found


def flags(command: str) -> dict[str, str]:
    """The flags in the command of a unit, as written there, by name."""
    words = [word.strip("\"'") for word in command.split()]
    found: dict[str, str] = {}
    for word, follows in zip(words, [*words[1:], "-"]):
        alone = "=" in word or "://" in word or follows.startswith(("-", "$"))
        for name in names(word):
            found.setdefault(name, mask(word if alone else "%s %s" % (word, follows)))
    return found


def options_by_key(options: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Where each key stands that Docker compares with its flags; one that is to be removed is none."""
    found: dict[str, str] = {}
    for name, value in options.items():
        if isinstance(value, dict) and name not in _DICTIONARIES:
            found.update({key: "%s.%s" % (name, key) for key, inner in value.items() if inner is not None})
        elif value is not None:
            found[name] = name
    return found


def contradictions(options: t.Mapping[str, t.Any], command: str, variable: str) -> list[str]:
    """Options that the command gives, too. A key has the name of its flag, in the plural if that can be repeated."""
    asked = options_by_key(options)
    found = []
    for flag, written in flags(command).items():
        for key in (flag, flag + "s", flag[:-1] + "ies"):
            if key in asked:
                way = _HOSTS_WAY if key == "hosts" else _WAY
                found.append(_TEXT % ("%s.%s" % (variable, asked[key]), written, way))
    return found


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
            command = ([command, *_EXEC_START.findall(f.read().replace("\\\n", " "))])[-1]
    return command


def mask(text: str) -> str:
    """The text without the credentials in its addresses. Those may have a slash or an @, so that too much may go."""
    return re.sub(r"//\S*@", "//***@", text)
