# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certificate_due as a user runs it: by ansible-playbook, against a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.certificates import authority, make
from tests.unit.conftest import Playbook

CA = authority("CA")
LEAF = make("gateway", CA, ("gate",), days=(-1, 100))


def look(path: Path, ca: Path, **options: Any) -> dict[str, Any]:
    options = {"path": str(path), "ca_file": str(ca / "ca.pem"), "names": ["gate"], "days": 30, "life": 397, **options}
    return {"gatehouse.ollama.certificate_due": options}


def test_it_says_whether_one_is_due_keeps_the_file_from_others_and_prints_no_key(
    playbook: Playbook, tmp_path: Path
) -> None:
    ca, half, path = tmp_path / "ca", tmp_path / "half", tmp_path / "server.pem"
    for folder in (ca, half):
        folder.mkdir()
        (folder / "ca.pem").write_bytes(CA.pem)
    (ca / "ca.key").write_bytes(CA.key_pem)
    path.write_bytes(LEAF.key_pem + LEAF.pem)
    path.chmod(0o644)
    tasks = [look(path, ca), look(path, ca), look(tmp_path / "none", ca), look(path, half), look(path, tmp_path / "no")]
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "ca.pem").write_bytes(CA.pem[:-40])
    lost, bad = playbook.run([look(tmp_path / "none", half), look(tmp_path / "none", tmp_path / "bad")]).only
    assert (bad["has_ca"], bad["due"]) == (False, True)
    assert lost["msg"].startswith(f"ollama_gateway_ca_dir: the CA in {half} on the controller has no ca.key beside")
    run = playbook.run([{**tasks[0], "check_mode": True}, *tasks, look(path, ca, days="400")], "-vvv", "--diff")
    results = run.only
    assert [(one["changed"], one["due"]) for one in results] == [
        (True, False),
        (True, False),
        (False, False),
        (False, True),
        # The CA's key may be away while nothing is to be signed.
        (False, False),
        (False, True),
        (False, True),
    ], run.output
    assert [one["has_ca"] for one in results] == [True, True, True, True, True, False, True]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [line for line in LEAF.key_pem.decode().splitlines()[1:-1] if line in run.output] == []
