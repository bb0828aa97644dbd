# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a key as a user lives it, against files in a folder, on several hosts.

By ansible-playbook where hosts work at the same time, where one run must be told from another, and for what is printed.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.keys import form as key_form

from tests.unit.conftest import Direct, Playbook, check_input

STRONG, OTHER = "pXk29vQzLr4TnB8sWm1YcA", "Qw7eRt5yUi3oPa1sDf9gHj"
NAME, OLD = "alice.laptop", "alice.laptop~old"


def alice(**more: Any) -> list[dict[str, Any]]:
    return [{"name": "alice", "keys": [{"id": "laptop", **more}]}]


ROTATED = alice(state="rotated", grace="1h")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The folder on the hosts, in which each has a file of keys of its name."""
    folder = tmp_path / "host"
    folder.mkdir()
    return folder


def api_keys(host: Path, clients: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    path = str(host / "{{ inventory_hostname }}")
    return {"gatehouse.ollama.api_keys": {"path": path, "clients": clients, "secrets_dir": "secrets", **options}}


def validate(clients: list[dict[str, Any]], folder: str = "secrets", **options: Any) -> dict[str, Any]:
    names = {"rotate": "rotate_keys", "revoke": "revoke_keys", "grace": "rotate_grace"}
    orders = {names[name]: value for name, value in options.items()}
    return check_input("ollama_gateway", clients=clients, secrets_dir=f"{{{{ playbook_dir }}}}/{folder}", **orders)


def begin(playbook: Playbook, host: Path, secret: str = "", hosts: int = 1, folder: str = "secrets") -> str:
    """Hosts that have a key, the given one or one that is stored, as runs before would have left them."""
    (playbook.folder / folder).mkdir(mode=0o700)
    if not secret:
        secret = key_form.generate()
        (playbook.folder / folder / NAME).write_text(secret)
        (playbook.folder / folder / NAME).chmod(0o600)
    for number in range(hosts):
        path = host / f"host{number}"
        path.write_text(f"{NAME} sha256:{key_form.digest(secret)}\n")
        path.chmod(0o640)
    return key_form.digest(secret)


def digests(path: Path) -> dict[str, str]:
    """The digests of a file of keys, by the names."""
    words = [line.split() for line in path.read_text().splitlines()]
    return {name: digest.removeprefix("sha256:") for name, digest, *_ in words}


def stored(playbook: Playbook, folder: str = "secrets") -> str:
    return key_form.digest((playbook.folder / folder / NAME).read_text().strip())


def secrets(playbook: Playbook, folder: str = "secrets") -> list[str]:
    return sorted(path.name for path in (playbook.folder / folder).iterdir() if path.name != ".lock")


def test_hosts_in_parallel_rotate_once_and_all_have_both_keys(
    playbook: Playbook, direct: Direct, tmp_path: Path
) -> None:
    """With the first pass in check mode, and the validation once more afterwards, as in the playbook deploy."""
    ways: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
        "inventory": (ROTATED, {}),
        "command": (alice(), {"rotate": f'["{NAME}"]', "grace": "1h"}),
    }
    steps, old = [], {}
    for way, (clients, options) in ways.items():
        host = tmp_path / way
        host.mkdir()
        old[way] = begin(playbook, host, hosts=2, folder=way)
        check = validate(clients, way, **options)
        write = api_keys(host, clients, secrets_dir=way, **options)
        steps += [check, {**write, "check_mode": True}, write, check]
    run = playbook.run(steps, hosts=2)
    assert run.returncode == 0, run.output
    for number, (way, (clients, _)) in enumerate(ways.items()):
        host = tmp_path / way
        done = {name: results[4 * number : 4 * number + 4] for name, results in run.results.items()}
        for name, (_, before, after, _) in done.items():
            for result in (before, after):
                assert (result["changed"], result["rotated"], result["added"]) == (True, [NAME], [OLD])
            assert digests(host / name) == {NAME: stored(playbook, way), OLD: old[way]}
        assert sum(len(results[2]["generated"]) for results in done.values()) == 1
        assert len({results[2]["ends"][OLD] for results in done.values()}) == 1
        assert len({path.read_text().split(f"{OLD} ")[1] for path in host.iterdir()}) == 1
        assert secrets(playbook, way) == [NAME, OLD]
        again = direct.run([api_keys(host, clients, secrets_dir=way)], hosts=2)
        assert [results[0]["changed"] for results in again.results.values()] == [False] * 2, again.output


def test_check_mode_tells_of_a_rotation_and_changes_nothing_anywhere(playbook: Playbook, host: Path) -> None:
    old = begin(playbook, host)
    before = (host / "host0").read_text()
    tasks = [api_keys(host, ROTATED), api_keys(host, alice(), revoke=[NAME]), api_keys(host, [])]
    run = playbook.run(tasks, "--check", "--diff")
    rotation, revocation, purge = run.only
    assert (rotation["rotated"], [key["id"] for key in rotation["generated"]]) == ([NAME], ["laptop"])
    assert f"{NAME}: to be generated (rotated; the old key (fingerprint {old[:8]}) is valid until 20" in run.output
    assert (revocation["revoked"], revocation["removed"], purge["removed"]) == ([NAME], [NAME], [NAME])
    assert ((host / "host0").read_text(), stored(playbook), secrets(playbook)) == (before, old, [NAME])


def test_the_old_key_goes_when_its_grace_is_over_and_a_run_after_that_changes_nothing(
    direct: Direct, host: Path
) -> None:
    soon = alice(state="rotated", grace="1s")
    begin(direct, host)
    (rotated,) = direct.run([api_keys(host, soon)]).only
    assert list(rotated["ends"]) == [OLD]
    new = stored(direct)
    time.sleep(2)
    over, again, present = direct.run([*[api_keys(host, soon)] * 2, api_keys(host, alice())]).only
    assert (over["changed"], over["removed"], over["ends"]) == (True, [OLD], {})
    assert [result["changed"] for result in (again, present)] == [False] * 2
    assert digests(host / "host0") == {NAME: new}
    assert secrets(direct) == [NAME], "the note of the rotation went with the state"


def test_a_second_order_is_refused_before_anything_changes_unless_it_ends_the_old_keys(
    playbook: Playbook, direct: Direct, host: Path
) -> None:
    order: dict[str, Any] = {"rotate": [NAME], "grace": "1h"}
    begin(playbook, host)
    playbook.run([api_keys(host, alice(), **order)])
    before = digests(host / "host0")
    check, refused = playbook.run([validate(alice(), **order), api_keys(host, alice(), **order)]).only
    assert check["msg"].startswith(f"ollama_gateway_rotate_keys: {NAME} was rotated before, and the old key is valid")
    assert refused["msg"].startswith(f"rotate: {NAME} was rotated before, and the old key is valid until 20")
    assert (digests(host / "host0"), stored(playbook)) == (before, before[NAME])
    (ended,) = direct.run([api_keys(host, alice(), **{**order, "grace": "0s"})]).only
    assert (ended["rotated"], ended["removed"], ended["ends"]) == ([NAME], [OLD], {})
    assert digests(host / "host0") == {NAME: stored(playbook)}
    assert stored(playbook) != before[NAME]


def test_a_given_secret_is_rotated_to_on_all_hosts_with_one_end(direct: Direct, host: Path) -> None:
    rotated = {"state": "rotated", "grace": "1h"}
    begin(direct, host, STRONG, hosts=2)
    steps = [api_keys(host, alice(secret=secret, **rotated)) for secret in (STRONG, OTHER, OTHER)]
    run = direct.run(steps, hosts=2)
    assert f"({NAME}): the host has this secret already, so there is nothing to rotate" in run.output
    for name, (same, first, second) in run.results.items():
        assert (same["changed"], first["rotated"], second["changed"]) == (False, [NAME], False)
        assert digests(host / name) == {NAME: key_form.digest(OTHER), OLD: key_form.digest(STRONG)}
    assert len({results[1]["ends"][OLD] for results in run.results.values()}) == 1


def test_a_revoked_key_stays_out_until_it_is_new_or_its_note_is_removed(direct: Direct, host: Path) -> None:
    revoked = direct.folder / "secrets" / f"{NAME}~revoked"
    begin(direct, host)
    run = direct.run([api_keys(host, alice(), revoke=NAME), api_keys(host, alice()), api_keys(host, ROTATED)])
    first, second, third = run.only
    assert (first["revoked"], first["removed"]) == ([NAME], [NAME])
    assert [(one["changed"], one["revoked"], one["generated"]) for one in (second, third)] == [(False, [NAME], [])] * 2
    assert f"({NAME}): the key was revoked, and is refused; remove it from the list, give it a new secret" in run.output
    assert (secrets(direct), (host / "host0").read_text()) == ([revoked.name], "")
    (given,) = direct.run([api_keys(host, alice(secret=STRONG))]).only
    assert (given["added"], given["revoked"]) == ([NAME], [])
    revoked.unlink()
    (generated,) = direct.run([api_keys(host, alice())]).only
    assert (generated["updated"], [key["id"] for key in generated["generated"]]) == ([NAME], ["laptop"])


def test_a_revocation_reaches_the_old_key_and_hosts_that_come_later(direct: Direct, host: Path) -> None:
    begin(direct, host, STRONG, hosts=2)
    direct.run([api_keys(host, alice(secret=STRONG)), api_keys(host, alice(secret=OTHER, state="rotated"))], hosts=2)
    assert set(digests(host / "host1")) == {NAME, OLD}
    direct.run([{**api_keys(host, alice(secret=OTHER), revoke=[NAME]), "when": "inventory_hostname == 'host0'"}])
    run = direct.run([api_keys(host, alice(secret=secret), purge=False) for secret in (OTHER, STRONG)], hosts=2)
    assert [path.read_text() for path in host.iterdir()] == ["", ""], run.output


def test_with_a_key_the_note_of_its_rotation_goes(direct: Direct, host: Path) -> None:
    begin(direct, host)
    rotated, removed = direct.run([api_keys(host, alice(), rotate=[NAME]), api_keys(host, [])]).only
    assert (rotated["added"], removed["removed"]) == ([OLD], [NAME, OLD])
    assert (secrets(direct), (host / "host0").read_text()) == ([NAME], "")


def test_of_a_given_secret_the_digest_is_remembered_as_long_as_the_key_is_listed(direct: Direct, host: Path) -> None:
    run = direct.run([{**api_keys(host, alice(secret=STRONG)), "check_mode": True}, api_keys(host, [])])
    assert not (direct.folder / "secrets").exists(), run.output
    direct.run([api_keys(host, alice(secret=secret)) for secret in (STRONG, OTHER)])
    assert secrets(direct) == [f"{NAME}~given"]
    assert (direct.folder / "secrets" / f"{NAME}~given").read_text() == f"sha256:{key_form.digest(OTHER)}\n"
    direct.run([api_keys(host, [])])
    assert secrets(direct) == []


def test_a_host_that_was_taken_over_plants_no_key_on_others_and_ends_none(direct: Direct, host: Path) -> None:
    """Neither by its line of a key that is rotated, nor by a line with the name of a key that it is not to have."""
    planted = key_form.digest("planted-0123456789abcdefghijkl")
    begin(direct, host, STRONG, hosts=2)
    direct.run([api_keys(host, alice(secret=STRONG))], hosts=2)
    (host / "host0").write_text(f"{NAME} sha256:{planted} expires=2020-01-01T00:00:00Z\n")
    run = direct.run([api_keys(host, alice(secret=OTHER, state="rotated", grace="1h"))], hosts=2)
    both = {NAME: key_form.digest(OTHER), OLD: key_form.digest(STRONG)}
    assert [digests(host / name) for name in ("host0", "host1")] == [both, both], run.output
    said = f"({NAME}): the host's key (fingerprint {planted[:8]}) is not one that this controller wrote last: it ends"
    assert said in " ".join(run.output.split())
    (host / "host0").write_text(f"{NAME} sha256:{planted}\n")
    direct.run([api_keys(host, [])])
    assert secrets(direct) == [f"{NAME}~given", OLD]


def test_secrets_are_returned_once_where_they_are_asked_for_and_printed_nowhere(playbook: Playbook, host: Path) -> None:
    tasks = [
        {**api_keys(host, alice(), return_secrets=True), "check_mode": True},
        api_keys(host, alice(), return_secrets=True),
        api_keys(host, alice(), return_secrets=True),
        api_keys(host, alice(), rotate=[NAME], return_secrets=True),
    ]
    run = playbook.run(tasks, "-vvv", "--diff")
    check, first, second, rotated = run.only
    assert (check["secrets"], second["secrets"]) == ([], [])
    for result in (first, rotated):
        ((client, key_id, secret),) = [(one["client"], one["id"], one["secret"]) for one in result["secrets"]]
        assert (client, key_id, key_form.verify(secret)) == ("alice", "laptop", True)
        assert secret not in run.output
    assert key_form.digest(rotated["secrets"][0]["secret"]) == stored(playbook)
    assert "fingerprints" in run.output.split("TASK")[3], "a result without secrets is shown"


def test_all_that_is_wrong_with_orders_is_told_at_once_and_nothing_is_quoted(direct: Direct, host: Path) -> None:
    orders: dict[str, Any] = {"rotate": "alice.labtop", "revoke": ["planted"], "grace": "planted"}
    check, module = direct.run([validate(alice(), **orders), api_keys(host, alice(), **orders)]).only
    said = [
        "rotate{}[0]: it is no key of the clients; is alice.laptop meant?",
        "revoke{}[0]: it is no key of the clients; a key is named <client>.<id>, such as alice.laptop",
        'grace: the grace must be a duration such as "90s", "30m", "24h" or "7d", and "90d" at most',
    ]
    assert module["msg"].splitlines() == [line.format("") for line in said]
    prefix = "ollama_gateway_"
    assert check["msg"].splitlines() == [
        prefix + said[0].format("_keys"),
        f"{prefix}rotate_{said[2]}",
        prefix + said[1].format("_keys"),
    ]
