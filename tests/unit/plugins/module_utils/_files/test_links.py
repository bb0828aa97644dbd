# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A link on the way to a folder is found, and none is followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._files import links


def test_a_folder_without_a_link_on_the_way_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    assert links.first_link(str(tmp_path / "a/b/new")) == ""
    with links.opened(str(tmp_path / "a")) as above, links.opened("b", above) as folder:
        assert os.path.samestat(os.fstat(folder), (tmp_path / "a/b").stat())


@pytest.mark.parametrize("name", ["link", "link/b"])
def test_a_link_on_the_way_is_named_and_not_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert links.first_link(str(tmp_path / name)) == str(tmp_path / "link")
    with pytest.raises(NotADirectoryError), links.opened(str(tmp_path / name)):
        pass
