# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `docker` of this host: find it, run it, read its JSON."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import GatehouseError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

Dict = t.Dict[str, t.Any]

# A container that is asked something and then gone: without a network, a right or a place to write to. It never fetches
# its image, which may ask for GPUs that it has no use for.
_THROW_AWAY = (
    *("--rm", "--pull=never", "--no-healthcheck", "--env=NVIDIA_VISIBLE_DEVICES=void"),
    *("--network=none", "--read-only", "--security-opt=no-new-privileges", "--cap-drop=ALL"),
)

# What it says of a container, an image or a volume that is not there, and of a network.
_GONE = re.compile(r"no such (container|object|image|network|volume)\b|(network|volume) \S+ not found", re.IGNORECASE)


class DockerError(GatehouseError):
    """A command of Docker's fails, or there is no Docker."""


class Answer(t.NamedTuple):
    """How a command ended and what it said, without blanks around it."""

    rc: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        return self.stderr or self.stdout or "it ends with %d" % self.rc


class Docker:
    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._program = module.get_bin_path("docker")

    @property
    def is_installed(self) -> bool:
        return self._program is not None

    @property
    def check_mode(self) -> bool:
        return bool(self._module.check_mode)

    def run(self, *args: str) -> Answer:
        if self._program is None:
            return Answer(127, "", "Docker is not installed on this host")
        rc, stdout, stderr = self._module.run_command([self._program, *args])
        return Answer(rc, stdout.strip(), stderr.strip())

    def read(self, *args: str) -> str:
        """What a command prints. Raises DockerError if it fails."""
        answer = self.run(*args)
        if answer.rc != 0:
            raise _failure(args, answer)
        return answer.stdout

    def change(self, *args: str) -> None:
        """Run a command that changes something, but in check mode. Raises DockerError if it fails."""
        if not self.check_mode:
            self.read(*args)

    def inspect(self, kind: str, *names: str) -> list[Dict]:
        """What `docker inspect` says of these. One that is gone by now is left out. Raises DockerError."""
        if not names:
            return []
        answer = self.run(kind, "inspect", *names)
        if answer.rc != 0 and not _GONE.search(answer.stderr):
            raise _failure((kind, "inspect"), answer)
        try:
            found = json.loads(answer.stdout or "[]")
        except ValueError:
            found = None
        if not isinstance(found, list):
            raise DockerError("`docker %s inspect` prints something else than a list in JSON" % kind)
        return found

    def containers(self, project: str, *options: str) -> list[Dict]:
        """What `docker inspect` says of those that `ids` names. Raises DockerError."""
        return self.inspect("container", *self.ids(project, *options))

    def ids(self, project: str, *options: str) -> list[str]:
        """The containers of a Compose project that run, or that options of `docker ps` choose. Raises DockerError."""
        label = "label=com.docker.compose.project=%s" % project
        return self.read("ps", "--quiet", "--no-trunc", "--filter", label, *options).split()

    def last_words(self, container: str) -> str:
        """What a container said last, in one line; empty if it said nothing."""
        answer = self.run("logs", "--tail=5", container)
        return " / ".join(f"{answer.stdout}\n{answer.stderr}".strip().splitlines()[-5:])

    def throw_away(self, image: str, program: str, *arguments: str, options: t.Sequence[str] = ()) -> Answer:
        """What a program of an image says in a container that may do nothing but what `options` add."""
        return self.run("run", *_THROW_AWAY, "--entrypoint=%s" % program, *options, image, *arguments)


def name_of(container: Dict) -> str:
    """Of one that `docker inspect` describes, as people know it."""
    return str(container.get("Name")).lstrip("/")


def is_running(container: Dict | None) -> bool:
    return bool(((container or {}).get("State") or {}).get("Running"))


def _failure(args: t.Sequence[str], answer: Answer) -> DockerError:
    return DockerError("`docker %s` fails: %s" % (" ".join(args[:2]), answer.error))
