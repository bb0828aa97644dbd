# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that hosts pull from the lab's registry: tiny ones, one of them under the name of a real one."""

from __future__ import annotations

from tests.lab.base import LabError
from tests.lab.standin import testmodels
from tests.lab.standin.registry import Registry, RegistryError

# Which of the tiny models each one is. llama3.2:1b is what the sample inventory names.
MODELS = {"tiny:latest": "tiny", "tiny-loop:latest": "tiny-loop", "llama3.2:1b": "tiny"}


def push(url: str) -> None:
    """Put all models into the registry at `url`, below library/; what is there stays."""
    for model, kind in MODELS.items():
        name, tag = model.split(":")
        package = testmodels.package(kind)
        repository = Registry(url, url).repository("library", name)
        try:
            for digest, data in package.blobs.items():
                if not repository.has_blob(digest):
                    repository.upload_blob(digest, data)
            repository.put_manifest(tag, package.manifest)
        except (OSError, RegistryError) as error:
            raise LabError(f"the registry does not take the model {model}: {error}") from error
