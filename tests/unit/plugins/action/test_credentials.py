# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""htpasswd, api_keys and check_input against files in a folder, and what a user sees of them: by ansible-playbook."""

from __future__ import annotations

import base64
import grp
import os
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form

from tests.unit.conftest import Direct, Playbook, check_input

# Prints all that the host answers, unless told not to, as the ssh connection does at -vvv.
TALKATIVE = """
from ansible.plugins.connection.local import DOCUMENTATION, Connection as Local
from ansible.utils.display import Display

DOCUMENTATION = DOCUMENTATION.replace("name: local", "name: talkative")


class Connection(Local):
    transport = "talkative"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        answer = super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        if not self._play_context.no_log:
            Display().vvv("ANSWER %s" % (answer,))
        return answer
"""

STRONG = "pXk29vQzLr4TnB8sWm1YcA"
PASSWORD = "planted:pässword"
OTHER_PASSWORD = "planted-other-password"


def task(module: str, **options: Any) -> dict[str, Any]:
    return {f"gatehouse.ollama.{module}": options}


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The folder on the host."""
    folder = tmp_path / "host"
    folder.mkdir()
    return folder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def htpasswd(path: Path, **options: Any) -> dict[str, Any]:
    return task("htpasswd", path=str(path), clients="{{ clients }}", **options)


def api_keys(path: Path, **options: Any) -> dict[str, Any]:
    return task("api_keys", **{"path": str(path), "clients": "{{ clients }}", "secrets_dir": "secrets", **options})


CLIENTS = [
    {"name": "alice", "password": PASSWORD, "keys": [{"id": "laptop", "secret": STRONG}, {"id": "phone"}]},
    {"name": "bob", "password": OTHER_PASSWORD},
]


def test_check_mode_on_a_clean_host_tells_the_truth_and_makes_nothing(playbook: Playbook, host: Path) -> None:
    folder = host / "not" / "there"
    run = playbook.run(
        [htpasswd(folder / "htpasswd"), api_keys(folder / "api_keys")], "--check", "--diff", clients=CLIENTS
    )
    users, keys = run.only
    assert run.returncode == 0, run.output
    assert (users["changed"], users["added"]) == (True, ["alice", "bob"])
    assert (keys["changed"], keys["added"]) == (True, ["alice.laptop", "alice.phone"])
    assert [(key["client"], key["id"]) for key in keys["generated"]] == [("alice", "phone")]
    assert list(host.iterdir()) == []
    assert not (playbook.folder / "secrets").exists()


def test_files_are_written_once_with_their_owner_and_mode_and_the_second_run_changes_nothing(
    playbook: Playbook, direct: Direct, host: Path
) -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    tasks = [htpasswd(host / "htpasswd", group=group), api_keys(host / "api_keys", mode="0600")]
    run = playbook.run(tasks, clients=CLIENTS)
    users, keys = run.only
    assert run.returncode == 0, run.output
    users_again, keys_again = direct.run(tasks, clients=CLIENTS).only
    assert mode(host / "htpasswd") == 0o640
    assert mode(host / "api_keys") == 0o600
    assert (users["changed"], keys["changed"]) == (True, True)
    assert (users_again["changed"], users_again["unchanged"]) == (False, ["alice", "bob"])
    assert (keys_again["changed"], keys_again["unchanged"]) == (False, ["alice.laptop", "alice.phone"])
    assert keys_again["generated"] == []
    secret = (playbook.folder / "secrets" / "alice.phone").read_text().strip()
    assert keys["generated"] == [
        {"client": "alice", "id": "phone", "path": str(playbook.folder / "secrets" / "alice.phone")}
    ]
    created = next(word for word in (host / "api_keys").read_text().split() if word.startswith("created="))
    assert (host / "api_keys").read_text() == "".join(
        f"alice.{key_id} sha256:{key_form.digest(value)} {created} last4={value[-4:]}\n"
        for key_id, value in (("laptop", STRONG), ("phone", secret))
    )
    assert keys["fingerprints"]["alice.phone"] == key_form.digest(secret)[:8]
    assert {path.name for path in host.iterdir()} == {"htpasswd", "api_keys"}


def test_a_key_may_stand_in_the_path_as_long_as_the_list_says_so(direct: Direct, host: Path) -> None:
    def keys(**more: Any) -> dict[str, Any]:
        listed = [{"id": "cli", **more}, {"id": "laptop"}]
        return api_keys(host / "api_keys", clients=[{"name": "alice", "keys": listed}])

    def is_marked() -> list[bool]:
        return [line.endswith(" in_path=yes") for line in (host / "api_keys").read_text().splitlines()]

    direct.run([keys(in_path="yes")])
    assert is_marked() == [True, False]
    again, never = direct.run([keys(in_path=True), keys()]).only
    assert (again["changed"], never["updated"], never["unchanged"]) == (False, ["alice.cli"], ["alice.laptop"])
    assert is_marked() == [False, False]


def test_one_that_can_be_guessed_may_not_even_where_weak_ones_are_allowed(direct: Direct, host: Path) -> None:
    listed = [{"id": "cli", "in_path": True, "secret": "planted-weak"}]
    clients = [{"name": "alice", "keys": listed}]
    (result,) = direct.run([api_keys(host / "api_keys", clients=clients, allow_weak_secrets=True)]).only
    assert "clients[0].keys[0] (alice.cli): with in_path the secret must have 128 bits" in result["msg"]
    assert "planted" not in result["msg"]
    assert list(host.iterdir()) == []


def test_a_file_is_replaced_by_rename_and_only_if_its_content_changes(direct: Direct, host: Path) -> None:
    path = str(host / "htpasswd")
    users = task("htpasswd", path=path, clients=[{"name": "alice", "password": PASSWORD}])
    nobody = task("htpasswd", path=path, clients=[])
    look = {"ansible.builtin.stat": {"path": path}}
    spoil = {"ansible.builtin.file": {"path": path, "mode": "0666"}}
    run = direct.run([users, look, spoil, users, look, nobody, look])
    _, first, _, repair, second, _, third = run.only
    assert repair["changed"], "a wrong mode is set right"
    assert second["stat"]["inode"] == first["stat"]["inode"]
    assert third["stat"]["inode"] != first["stat"]["inode"]
    assert [result["stat"]["mode"] for result in (first, second, third)] == ["0640"] * 3


def test_no_secret_and_no_hash_is_in_anything_that_a_run_prints_or_returns(playbook: Playbook, host: Path) -> None:
    """At -vvv and with --diff, while files are made, changed and damaged, with no_log off."""
    foreign = "$1$planted0$abcdefghijklmnopqrstuv"
    (host / "htpasswd").write_text(f"# planted-comment\nerin:{foreign}\n")
    (host / "api_keys").write_text("planted-plain-text-key\n")
    (host / "damaged").write_text("alice.laptop planted-damaged-line\n")
    plugins = playbook.folder / "connection_plugins"
    plugins.mkdir()
    (plugins / "talkative.py").write_text(TALKATIVE)
    clients = [
        *CLIENTS,
        {"name": "carol", "password": "planted-long" * 50, "keys": [{"id": "k", "secret": "planted-weak"}]},
    ]
    run = playbook.run(
        [
            htpasswd(host / "htpasswd", purge=False),
            api_keys(host / "api_keys", purge=False),
            task("htpasswd", path=str(host / "htpasswd"), clients="{{ bad }}"),
            task("api_keys", path=str(host / "api_keys"), clients="{{ bad }}"),
            check_input("ollama_gateway", auth="both", clients="{{ bad }}"),
            check_input("ollama_gateway", auth="both", clients="{{ no_list }}"),
            api_keys(host / "damaged"),
            htpasswd(host / "damaged"),
            htpasswd(host / "htpasswd", scheme="apr1"),
            api_keys(host / "api_keys"),
            {"ansible.builtin.stat": {"path": str(host)}},
        ],
        *("-vvv", "--diff", "-e", "ansible_connection=talkative"),
        clients=CLIENTS,
        bad=clients,
        no_list="planted-no-list",
    )
    *results, _ = run.only
    assert [bool(result.get("failed")) for result in results] == [False] * 2 + [True] * 6 + [False] * 2, run.output
    hashes = [line.split(":")[1] for line in (host / "htpasswd").read_text().splitlines()]
    digests = [line.split(":")[1].split()[0] for line in (host / "api_keys").read_text().splitlines()]
    generated = (playbook.folder / "secrets" / "alice.phone").read_text().strip()
    shown = run.output + str(run.results)
    planted = ["planted", STRONG, generated, foreign, "$6$", "$apr1$", *hashes, *digests]
    for text in ("planted-comment", "planted-plain-text-key", "planted-damaged-line"):
        planted += [base64.b64encode(b" " * shift + text.encode()).decode()[4:-4] for shift in range(3)]
    assert "ANSWER" in shown, "the connection does print what the host answers"
    assert [secret for secret in planted if secret in shown] == []
    assert "line 1: a plain-text line" in shown
    assert "erin: another kind of hash (foreign, kept)" in shown
    assert "alice: apr1 (scheme changed)" in shown


def test_a_damaged_file_is_an_error_with_file_line_and_the_way_on_and_nothing_is_written_or_generated(
    direct: Direct, host: Path
) -> None:
    users, keys = host / "htpasswd", host / "api_keys"
    users.write_text("alice:x\nno colon here\n")
    keys.write_bytes(b"# fine\n\xff\n")
    run = direct.run([htpasswd(users), api_keys(keys, purge=False)], clients=CLIENTS)
    of_users, of_keys = run.only
    assert of_users["msg"] == (
        f"{users}: line 2: it has no colon between a name and a hash. Nothing was written. Correct or remove that "
        "line, or the whole file to have it written anew, and run again."
    )
    assert of_keys["msg"] == (
        f"{keys}: line 2: it is not UTF-8 text. Nothing was written. Correct or remove that line and run again."
    )
    assert users.read_text() == "alice:x\nno colon here\n"
    assert not (direct.folder / "secrets").exists()


def test_hosts_in_parallel_share_one_generated_key(playbook: Playbook, host: Path) -> None:
    clients = [{"name": "alice", "keys": [{"id": key_id} for key_id in "abc"]}]
    run = playbook.run([api_keys(host / "{{ inventory_hostname }}")], hosts=3, clients=clients)
    assert run.returncode == 0, run.output
    made = [(key["client"], key["id"]) for results in run.results.values() for key in results[0]["generated"]]
    assert sorted(made) == [("alice", "a"), ("alice", "b"), ("alice", "c")]
    # When a key came to a host is that host's own.
    assert len({re.sub(r" created=\S+", "", path.read_text()) for path in host.iterdir()}) == 1


def test_all_problems_of_the_gateway_are_reported_at_once(direct: Direct) -> None:
    clients = [
        {"name": "alice", "password": PASSWORD},
        {"name": "Bob", "password": "correct-horse-2"},
        {"name": "carol", "keys": [{"id": "a"}, {"id": "b", "secret": STRONG}], "pasword": "x"},
    ]
    run = direct.run(
        [
            check_input("ollama_gateway", clients="{{ clients }}", bind="0.0.0.0"),
            check_input(
                "ollama_gateway", auth="both", clients="{{ clients[:1] }}", bind="0.0.0.0", allow_plaintext=True
            ),
            check_input("ollama_gateway", auth="digest"),
        ],
        clients=clients,
    )
    several, none, auth = run.only
    assert [line.split(": ")[0] for line in several["msg"].splitlines()] == [
        "ollama_gateway_clients[1]",
        "ollama_gateway_clients[2] (carol)",
        "ollama_gateway_clients[0] (alice)",
        "ollama_gateway_bind",
    ]
    assert (none.get("failed", False), none["changed"]) == (False, False)
    assert auth["msg"] == "ollama_gateway_auth: it must be basic, bearer or both"


def test_servers_that_a_gateway_never_finds_are_refused_before_anything_changes(direct: Direct) -> None:
    options = {"auth": "basic", "clients": [{"name": "alice", "password": PASSWORD}]}
    run = direct.run(
        [
            check_input("ollama_gateway", upstreams=["ollama:11434", "host.docker.internal:11434"], **options),
            check_input("ollama_gateway", upstreams=["ollama:11434"], **options),
        ]
    )
    refused, taken = run.only
    assert refused["msg"].startswith("ollama_gateway_upstreams[1]: host.docker.internal ")
    assert not taken.get("failed", False)


def test_vaulted_strings_and_unquoted_moments_are_taken(playbook: Playbook, host: Path) -> None:
    from ansible.parsing.vault import VaultLib, VaultSecret

    ciphertext = VaultLib([("default", VaultSecret(b"vault-password"))]).encrypt(PASSWORD).decode()
    lines = "\n".join("      " + line for line in ciphertext.splitlines())
    (playbook.folder / "more.yml").write_text(
        f"clients:\n  - name: alice\n    password: !vault |\n{lines}\n"
        f"    keys: [{{id: k, secret: {STRONG}, expires: 2001-01-01T00:00:00Z}}]\n"
    )
    (playbook.folder / "vault").write_text("vault-password")
    run = playbook.run(
        [
            htpasswd(host / "htpasswd"),
            api_keys(host / "api_keys"),
        ],
        *("-e", "@more.yml", "--vault-password-file", "vault"),
    )
    assert run.returncode == 0, run.output
    assert [result.get("changed") for result in run.only] == [True, True]
    assert (host / "api_keys").read_text().split()[2] == "expires=2001-01-01T00:00:00Z"
    assert "clients[0].keys[0] (alice.k): the key expired on 2001-01-01T00:00:00Z" in run.output


def test_what_cannot_be_written_is_an_error_that_names_the_file(direct: Direct, host: Path) -> None:
    os.mkfifo(host / "pipe")
    run = direct.run(
        [
            htpasswd(host / "missing" / "htpasswd"),
            htpasswd(host),
            task("htpasswd", path="relative", clients=[]),
            htpasswd(host / "pipe"),
        ],
        clients=CLIENTS,
    )
    missing, folder, relative, pipe = run.only
    assert pipe["msg"] == f"{host / 'pipe'}: it is no regular file"
    assert missing["msg"].startswith(f"{host / 'missing' / 'htpasswd'}: ")
    assert folder["msg"].startswith(f"{host}: ")
    assert relative["msg"].startswith("path: it must be absolute")
