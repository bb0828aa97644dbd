# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a volume belongs to, or what of a folder of the user's is a server's."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._docker.cli import Answer, Docker, DockerError
from ansible_collections.gatehouse.ollama.plugins.module_utils._files import links

# How `docker run` ends where it cannot make the container.
_NO_IMAGE = 125

_LOOK = "stat -c %u:%g /volume"
# The volume itself last: it tells whether all was done.
_CHANGE = 'find /volume -mindepth 1 ! -type l -exec chown "$0" {} + && chown "$0" /volume'
# Of a folder of the user's, what Ollama has there. What else is in it stays as it is.
_OWN = ("blobs", "manifests", "id_ed25519", "id_ed25519.pub", "history")
# As the user, whoever owns what: it is enough to be able to write to all folders, and to read the key.
_MAY_WRITE = (
    "cd /volume && [ -w . ] && [ -x . ] && { [ ! -e id_ed25519 ] || [ -r id_ed25519 ]; } && "
    'for one in blobs manifests; do [ ! -e "$one" ] || [ -z "$(find "$one" -type d ! -writable)" ] || exit 1; done'
)
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
                self.create()
            self._contained("rw", _CHANGE, wanted)
        return owner, wanted

    def create(self) -> None:
        self.docker.read("volume", "create", *self.labels, self.name)

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


class Bound:
    """A folder of the user's that a server writes to, and an image on the host that has sh and find.

    Others may write above it or in it: no link is followed, neither on the way there nor below.
    """

    def __init__(self, docker: Docker, path: str, image: str) -> None:
        self.docker = docker
        self.name = path
        self.image = image

    def hand_over(self, user_id: int) -> tuple[str, str]:
        """What a diff says of it before and after. Raises DockerError if the user may not write there in the end."""
        wanted = f"{user_id}:{user_id}"
        if not os.path.isdir(self.name):
            # Check mode, and it would have been made by now.
            return "", wanted
        owner = _owner_of(self.name)
        options = [f"--user={wanted}", f"--volume={self.name}:/volume:rw"]
        looked = self._run(_MAY_WRITE, options)
        if looked.rc == 0 or (self.docker.check_mode and looked.rc == _NO_IMAGE):
            return wanted, wanted
        link = links.first_link(self.name)
        if link:
            raise DockerError(f"{self.name} is not handed over: {link} is a link, and none is followed")
        if not self.docker.check_mode:
            problem = self._give(user_id)
            looked = self._run(_MAY_WRITE, options)
            if problem or looked.rc != 0:
                raise DockerError(
                    f"{self.name} cannot be handed over to user {user_id}, who may not write to all of it: "
                    f"{problem or looked.error}. Where root may not give files away, as on NFS with root_squash, run "
                    f"`chown -R {wanted}` on blobs, manifests and the folder on the server of the share"
                )
        return owner, wanted

    def _give(self, user_id: int) -> str:
        """What keeps root from giving away what is a server's, and then the folder itself; empty if nothing does."""
        try:
            with links.opened(self.name) as folder:
                for name in _OWN:
                    _give_all(folder, name, user_id)
                os.chown(folder, user_id, user_id)
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _run(self, script: str, options: t.Sequence[str]) -> Answer:
        return self.docker.throw_away(self.image, "sh", "-c", script, options=options)


def _give_all(parent: int, name: str, user_id: int) -> None:
    """A file, or a folder with all in it. A link, and a file that has a second name elsewhere, stay as they are."""
    try:
        there = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(there.st_mode):
        with links.opened(name, parent) as folder:
            for one in os.listdir(folder):
                _give_all(folder, one, user_id)
            os.chown(folder, user_id, user_id)
    elif stat.S_ISREG(there.st_mode) and there.st_nlink == 1:
        os.chown(name, user_id, user_id, dir_fd=parent, follow_symlinks=False)


def _owner_of(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_uid}:{found.st_gid}"
