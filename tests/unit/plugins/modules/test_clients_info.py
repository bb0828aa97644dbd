# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring
from ansible_collections.gatehouse.ollama.plugins.modules import clients_info as module

from tests.unit.conftest import Direct, Playbook

NOW = datetime.datetime(2026, 11, 25, 13, tzinfo=datetime.timezone.utc)
SECRET = "ghk_planted-secret-0123456789"
PLAIN = "planted-plain-text-key-0123456789"
PASSWORD_HASH = "$6$rounds=5000$plantedsalt$" + "P" * 86
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()
PLANTED = [
    *(SECRET, SECRET[4:20], PLAIN, PLAIN[:12], PASSWORD_HASH, "plantedsalt", "P" * 20),
    *(DIGEST, DIGEST[:9], DIGEST[8:20], hashlib.sha256(PLAIN.encode()).hexdigest()[:9]),
]
ENTRY = dict(time="2026-11-25T12:00:00+00:00", client="alice", key="laptop", path="/api/tags", status=200)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of clients in which everything that may be there is, and damaged lines with secrets."""
    clients = tmp_path / "clients"
    clients.mkdir()
    (clients / "api_keys").write_text(
        f"alice.laptop sha256:{DIGEST} last4=6789\nalice.ci {SECRET}\nalice.x sha256:{DIGEST} last4={SECRET}\n"
        f"alice.y sha256:{DIGEST} expires={SECRET}\n{PLAIN}\n"
    )
    (clients / "htpasswd").write_text(f"alice:{PASSWORD_HASH}\n{SECRET}\nbob:{SECRET}\n")
    (clients / "clients.json").write_text(
        json.dumps({"alice": {"scopes": ["inference"], "models": ["*"], "secret": SECRET}, SECRET: [SECRET]}, indent=2)
    )
    (tmp_path / "log").write_text(f"{SECRET}\n{json.dumps(ENTRY)}\n")
    return clients


def options(folder: Path, **others: Any) -> dict[str, Any]:
    log = ["cat", str(folder.parent / "log")]
    return {"path": str(folder), "log_command": log, "log_timeout": 60, "revoked": [], **others}


def test_what_is_returned_and_warned_of_holds_no_secret_and_no_hash(folder: Path) -> None:
    returned, warnings = module.look(options(folder), NOW)
    text = json.dumps([returned, warnings])
    assert [one for one in PLANTED if one in text] == []
    assert [client["name"] for client in returned["clients"]] == ["(plain text)", "alice", "bob"]
    assert len(warnings) == 5


def test_a_credential_is_returned_with_all_that_is_known_of_it(folder: Path) -> None:
    returned, _warnings = module.look(options(folder), NOW)
    alice = returned["clients"][1]
    assert alice["password"] == {"scheme": "sha512_crypt with rounds 5000", "last_use": None}
    assert alice["api_keys"][0] == dict(
        id="laptop",
        fingerprint=DIGEST[:8],
        last4="6789",
        created=None,
        not_before=None,
        expires=None,
        in_path=False,
        comment=None,
        state="valid",
        last_use="2026-11-25T12:00:00Z",
    )
    assert (returned["changed"], returned["log_since"]) == (False, "2026-11-25T12:00:00Z")


def test_a_gateway_without_files_has_no_clients(tmp_path: Path) -> None:
    returned, warnings = module.look(options(tmp_path, log_command=None), NOW)
    assert (returned["clients"], returned["log_since"], warnings) == ([], None, [])


def test_without_a_log_everything_else_is_returned_with_a_warning(folder: Path) -> None:
    returned, warnings = module.look(options(folder, log_command=["false"]), NOW)
    assert [client["last_use"] for client in returned["clients"]] == [None, None, None]
    assert returned["log_since"] is None
    assert warnings[-1] == "When credentials were used is unknown: `false` ended with 1."


def test_the_half_of_a_log_that_was_read_is_not_told(folder: Path) -> None:
    command = ["sh", "-c", f"cat {folder.parent / 'log'}; exit 3"]
    returned, warnings = module.look(options(folder, log_command=command), NOW)
    assert returned["clients"][1]["last_use"] is None
    assert warnings[-1].endswith("ended with 3.")


def test_ten_thousand_keys_and_their_uses_are_told_apart(tmp_path: Path) -> None:
    digests = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(10000)]
    lines = [f"client-{n % 1000}.key-{n // 1000} sha256:{digest} last4=abcd" for n, digest in enumerate(digests)]
    (tmp_path / "api_keys").write_text("\n".join(lines))
    rights = {f"client-{n}": dict(scopes=["inference"], models=["*"]) for n in range(1000)}
    (tmp_path / "clients.json").write_text(json.dumps(rights))
    log = "".join(
        json.dumps({**ENTRY, "client": f"client-{n % 1000}", "key": f"key-{n // 1000 % 10}"}) + "\n"
        for n in range(200000)
    )
    (tmp_path / "log").write_text(log)
    returned, warnings = module.look(options(tmp_path, log_command=["cat", str(tmp_path / "log")]), NOW)
    keys = [key for client in returned["clients"] for key in client["api_keys"]]
    assert {key["fingerprint"] for key in keys} == {digest[:8] for digest in digests}
    assert {key["last_use"] for key in keys} == {"2026-11-25T12:00:00Z"}
    assert (len(returned["table"]), warnings) == (10003, [])


def test_a_run_changes_nothing_and_prints_no_secret_not_even_verbosely(folder: Path, playbook: Playbook) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    run = playbook.run([{"gatehouse.ollama.clients_info": options(folder)}], "--check", "--diff", "-vvv")
    assert run.only[0]["changed"] is False
    assert run.only[0]["table"][1].startswith("(plain text)  sha256:")
    assert [one for one in PLANTED if one in run.output] == []
    assert "api_keys, line 2: " in run.output
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"path": "/no/such/folder"}, "path: there is no folder /no/such/folder"),
        ({"log_timeout": 0}, "log_timeout: it must be 1 or more"),
    ],
)
def test_options_that_cannot_be_are_errors(wrong: dict[str, Any], message: str, folder: Path, direct: Direct) -> None:
    run = direct.run([{"gatehouse.ollama.clients_info": {**options(folder), **wrong}}])
    assert (run.only[0]["failed"], run.only[0]["msg"]) == (True, message)


def test_options_types_and_defaults_are_documented_as_they_are() -> None:
    said = get_docstring(module.__file__, fragment_loader, collection_name="gatehouse.ollama")[0]["options"]
    assert set(said) == set(module.OPTIONS)
    for name, option in module.OPTIONS.items():
        for aspect in ("type", "default", "required", "elements"):
            assert said[name].get(aspect) == option.get(aspect), (name, aspect)
