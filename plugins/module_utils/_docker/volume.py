# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a volume belongs to."""

from __future__ import annotations

import os

from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Docker, DockerError

_LOOK = "stat -c %u:%g /volume"
# The volume itself last: it tells whether all was done.
_CHANGE = 'find /volume -mindepth 1 ! -type l -exec chown "$0" {} + && chown "$0" /volume'
_CAPABILITIES = ("--cap-add=CHOWN", "--cap-add=DAC_OVERRIDE", "--cap-add=FOWNER")


class Volume:
    """A volume of a Compose project, and an image on the host that has sh, find, chown and stat."""

    def __init__(self, docker: Docker, project: str, volume: str, image: str) -> None:
        self.docker = docker
        self.name = f"{project}_{volume}"
        self.labels = [f"--label=com.docker.compose.{key}" for key in (f"project={project}", f"volume={volume}")]
        self.image = image

    def hand_over(self, user_id: int) -> tuple[str, str]:
        """Who owned it before, empty if it was not there, and who does now. Raises DockerError."""
        wanted = f"{user_id}:{user_id}"
        owner = self._owner(wanted)
        if owner != wanted and not self.docker.check_mode:
            if not owner:
                self.docker.read("volume", "create", *self.labels, self.name)
            self._contained("rw", _CHANGE, wanted)
        return owner, wanted

    def _owner(self, wanted: str) -> str:
        found = self.docker.inspect("volume", self.name)
        if not found:
            return ""
        outside = _owner_of(found[0].get("Mountpoint") or "")
        if outside == wanted:
            return outside
        # Users may have other numbers inside than outside, or the volume is elsewhere: what a container sees counts.
        try:
            return self._contained("ro", _LOOK)
        except DockerError:
            if not self.docker.check_mode:
                raise
            # The image is not there yet.
            return outside or "unknown"

    def _contained(self, access: str, script: str, *arguments: str) -> str:
        """What a script says in a container that has the volume and little else."""
        options = ["--user=0:0", f"--volume={self.name}:/volume:{access}", *(_CAPABILITIES if access == "rw" else ())]
        answer = self.docker.throw_away(self.image, "sh", "-c", script, *arguments, options=options)
        if answer.rc != 0:
            raise DockerError(f"{self.name} cannot be handed over: {answer.error}")
        return answer.stdout


def _owner_of(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_uid}:{found.st_gid}"
