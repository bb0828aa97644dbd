# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the keys of a backup that were revoked since."""

from __future__ import annotations

import hashlib

from ansible_collections.gatehouse.ollama.plugins.module_utils._backup import revoked

PLAIN = "a-key-that-somebody-wrote-by-hand"
DIGEST = hashlib.sha256(PLAIN.encode()).hexdigest()
OTHER = "b" * 64


def test_the_digests_are_those_of_the_notes_alone() -> None:
    notes = {
        "alice.laptop~revoked": f"sha256:{DIGEST}\nsha256:{'A' * 64}\n".encode(),
        "alice.laptop~given": f"sha256:{OTHER}\n".encode(),
    }
    assert revoked.digests(notes) == {DIGEST, "a" * 64}


def test_no_line_of_a_revoked_key_stays_whatever_it_looks_like() -> None:
    kept = f"# by hand\n\nbob.phone sha256:{OTHER} expires=2030-01-01T00:00:00Z\n"
    gone = (
        f"alice.laptop sha256:{DIGEST.upper()}\n",
        f"  {PLAIN}  \n",
        f"renamed.key sha256:{DIGEST} note=odd\n",
        PLAIN,
    )
    for line in gone:
        assert revoked.without((kept + line).encode(), {DIGEST}) == kept.encode()
        assert revoked.without((line.strip() + "\n" + kept).encode(), {DIGEST}) == kept.encode()


def test_a_file_without_such_a_key_stays_as_it_is() -> None:
    odd = b"\xff odd\r\nno key" + f"\nbob.phone sha256:{OTHER}".encode()
    assert revoked.without(odd, {DIGEST}) == odd
    assert revoked.without(odd, set()) == odd
