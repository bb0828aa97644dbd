# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which paths may be in an archive."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.gatehouse.ollama.plugins.module_utils._backup.names import Tree, is_path, tree_of

TREES = [Tree("tls"), Tree("state/usage", files=r"[0-9-]+[.]jsonl"), Tree("made.json")]


@pytest.mark.parametrize(
    "path",
    [
        *("", "/etc/passwd", "../x", "tls/../x", "tls/..", "tls/.", "tls//x", "tls/", "./tls/x", ".tls/x", "tls/.new"),
        *(
            "tls/a b",
            "tls/a\nb",
            "tls/a\x00",
            "tls\\x",
            "tls/ä",
            "tls/" + "a" * 201,
            "/".join(["a" * 100] * 11),
            7,
            None,
        ),
    ],
)
def test_what_is_no_path_below_a_folder_is_none(path: object) -> None:
    assert not is_path(path)
    assert tree_of(TREES, path) is None


@pytest.mark.parametrize(
    ("path", "tree"),
    [
        ("tls/server.pem", "tls"),
        ("tls/deep/er", "tls"),
        ("tls", "tls"),
        ("tlsx/y", None),
        ("state/usage/2026-11-30.jsonl", "state/usage"),
        ("state/usage/2026-11-30.jsonl.x", None),
        ("state/usage/below/2026-11-30.jsonl", None),
        ("made.json", "made.json"),
        ("other.json", None),
    ],
)
def test_a_path_belongs_to_the_tree_that_allows_it(path: str, tree: str | None) -> None:
    found = tree_of(TREES, path)
    assert (found.path if found else None) == tree


def test_names_of_real_files_are_paths() -> None:
    names = ["clients/scopes/*", "alice.laptop~old", "acme/config/accounts/10.213.0.4:14000/dir/0a1b/regr.json"]
    assert [name for name in names if not is_path(name)] == []


@pytest.mark.parametrize(
    ("path", "is_in"),
    [
        ("accounts/acme-v02.api.letsencrypt.org/directory/0a1b/private_key.json", True),
        ("accounts/10.213.0.4:14000/dir/0a1b/regr.json", True),
        ("archive/gatehouse/privkey12.pem", True),
        ("renewal/gatehouse.conf", True),
        ("renewal/other.conf", False),
        ("archive/other/privkey1.pem", False),
        ("archive/gatehouse/hook.sh", False),
        ("renewal-hooks/deploy/run.sh", False),
        ("accounts/run.sh", False),
        ("cli.ini", False),
    ],
)
def test_of_certbot_only_what_it_cannot_make_anew_is_in_a_backup(path: str, is_in: bool) -> None:
    roles = Path(__file__).resolve().parents[5] / "roles"
    variables = yaml.safe_load((roles / "ollama_gateway/vars/main/backup.yml").read_text())
    (given,) = (one for one in variables["__ollama_gateway_backup_trees"] if one["path"] == "acme/config")
    assert Tree(given["path"], files=given["files"]).has(f"acme/config/{path}") is is_in
