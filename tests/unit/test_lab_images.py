# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's Debian comes from where apt of this machine has it, and from nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import images
from tests.lab.base import LabError

MAIN = "http://mirror.test/debian/ Debian\n"
SECURITY = "http://mirror.test/security/ Debian-Security\n"
OTHER = "http://tools.test/apt/ Tools\nhttp://unlabelled.test/ \n"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    images._mirrors.cache_clear()
    yield
    images._mirrors.cache_clear()


@pytest.mark.parametrize("suite", ["trixie", "forky"])
def test_debian_comes_from_the_sources_of_apt(monkeypatch: pytest.MonkeyPatch, suite: str) -> None:
    monkeypatch.setattr(images, "run", lambda *_: OTHER + MAIN + SECURITY)
    assert images._base_sources(suite) == [
        f"deb http://mirror.test/debian {suite} main",
        f"deb http://mirror.test/debian {suite}-updates main",
        f"deb http://mirror.test/security {suite}-security main",
    ]


@pytest.mark.parametrize(
    ("listing", "label"), [("", "Debian"), (OTHER + SECURITY, "Debian"), (OTHER + MAIN, "Debian-Security")]
)
def test_a_machine_without_a_source_of_debian_is_told_so(
    monkeypatch: pytest.MonkeyPatch, listing: str, label: str
) -> None:
    monkeypatch.setattr(images, "run", lambda *_: listing)
    with pytest.raises(LabError, match=f"no source labelled {label}, .* run apt-get update$"):
        images._base_sources(images.SUITE)
