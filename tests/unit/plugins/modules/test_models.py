# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module says of models that failed."""

from __future__ import annotations

from ansible_collections.gatehouse.ollama.plugins.modules.models import failure


def test_a_failure_says_what_became_of_the_others_and_nothing_where_there_are_none() -> None:
    assert failure(["a: gone"], [], False, False) == "a: gone"
    assert failure(["a: gone"], [], False, True) == "a: gone\nNothing was purged."
    assert failure(["a: gone"], ["b", "c"], False, True) == (
        "a: gone\nThe others are as they should be: b, c. Nothing was purged."
    )
    assert failure(["a: gone"], ["b"], True, False).endswith("The others would be as they should be: b.")
