# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tasks of a playbook run with which tags, and what the playbooks say."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit import ledgers
from tests.unit.conftest import Playbook

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = (sys.executable, "-m", "ansible", "playbook")
LIST = "List who may come in"


@functools.cache
def tasks(*options: str) -> dict[str, list[str]]:
    """The names of the tasks that would run, but for those that check the arguments of a role, by the playbook."""
    names = ("clients", "deploy")
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.run(
            [*PLAYBOOK, *(f"playbooks/{name}.yml" for name in names), "--list-tasks", *options],
            cwd=ROOT,
            env=Playbook(Path(folder)).environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, list[str]] = {}
    for name, listed in zip(names, process.stdout.split("\nplaybook: ")[1:]):
        lines = [line.partition("\t")[0].strip() for line in listed.splitlines() if line.startswith("      ")]
        found[name] = [one for one in lines if "Validating arguments against arg spec" not in one]
    return found


def test_clients_lists_nobody_unless_asked_to() -> None:
    names = tasks()["clients"]
    assert "gatehouse.ollama.ollama_gateway : credentials | secrets | Write the API keys" in names
    assert LIST not in names


def test_clients_writes_nothing_when_it_is_asked_to_list() -> None:
    finding = "Refuse an inventory that names neither a server nor a gateway, and without one take this machine"
    assert tasks("--tags", "list")["clients"] == [finding, LIST]


def find(playbook: Playbook, *options: str) -> tuple[int, str]:
    """Run the play that finds the hosts from a folder without ansible.cfg: its exit code, and what was said."""
    asked = {"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false", "COLUMNS": "500"}
    (playbook.folder / "find.yml").write_text(
        f"- import_playbook: {ROOT}/playbooks/groups.yml\n"
        "- {hosts: ollama_servers, gather_facts: false, tasks: [{debug: {msg: 'meant: {{ inventory_hostname }}'}}]}\n"
    )
    process = subprocess.run(
        [*PLAYBOOK, "find.yml", *options],
        cwd=playbook.folder,
        env={**playbook.environment(), **asked},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout


def test_without_an_inventory_this_machine_is_meant(playbook: Playbook) -> None:
    code, said = find(playbook)
    assert code == 0, said
    assert "meant: localhost" in said


def test_an_inventory_that_gives_no_host_never_means_this_machine(playbook: Playbook) -> None:
    (playbook.folder / "empty").mkdir()
    (playbook.folder / "none.yml").write_text("all: {children: {ollama_servers: {}}}\n")
    code, said = find(playbook, "-i", "empty", "-i", "none.yml")
    assert code == 2, said
    assert "/empty, " in said
    assert "/none.yml gives no host, so nothing is done. Name one with hosts, such as -i my-hosts" in said
    assert "meant: localhost" not in said
    # Where Ansible looks by itself, too, if somebody names it.
    code, said = find(playbook, "-vi", "/etc/ansible/hosts")
    assert (code, "meant: localhost" in said) == (2, False), said


@pytest.mark.parametrize("start", ["*", "de?ug"])
def test_wherever_a_run_starts_a_mistyped_inventory_never_means_this_machine(playbook: Playbook, start: str) -> None:
    """From the task that finds the hosts, and from one behind it."""
    _code, said = find(playbook, "-i", "nonexist", "--start-at-task", start)
    assert "meant: localhost" not in said
    assert "nonexist does not exist, so nothing is done" in said or "No matching task" in said


def test_a_near_miss_of_a_group_is_refused_with_the_group_that_is_meant(playbook: Playbook) -> None:
    inventory = playbook.folder / "hosts.yml"
    inventory.write_text("all: {children: {ollama_servers: {hosts: {llm: }}, ollama_gatways: {hosts: {llm: }}}}\n")
    code, said = find(playbook, "-i", "hosts.yml")
    assert code == 2, said
    assert "The group ollama_gatways means nothing here; is ollama_gateways meant? Only in ollama_gatways: llm." in said


def test_a_hole_does_not_hide_where_the_gateway_is() -> None:
    names = tasks()["deploy"]
    attack = names.index("gatehouse.ollama.ollama_gateway : Attack the gateway, or say that check mode does not")
    assert "gatehouse.ollama.ollama_gateway : Say where the gateway is" in names[:attack]


def test_a_full_disk_is_said_and_not_taken_for_a_bad_configuration(playbook: Playbook) -> None:
    """What the role says where the trial of a configuration fails."""
    failures = {
        "full": "path: /x cannot be read or written: No space left on device",
        "bad": "nginx: [emerg] unknown directive",
    }
    (trial,) = yaml.safe_load((ROOT / "roles/ollama_gateway/tasks/deploy/trial.yml").read_text(encoding="utf-8"))
    fail = {"ansible.builtin.fail": {"msg": "{{ failures[inventory_hostname] }}"}}
    names = {"__ollama_gateway_image": "nginx:1", "__ollama_gateway_image_variable": "an_image", "failures": failures}
    tasks = [{"block": [fail], "rescue": trial["rescue"]}]
    (playbook.folder / "play.yml").write_text(
        yaml.safe_dump([{"hosts": "all", "gather_facts": False, "vars": names, "tasks": tasks}])
    )
    process = subprocess.run(
        [*PLAYBOOK, "play.yml", "-i", "full,bad,"],
        cwd=playbook.folder,
        env=playbook.environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    for host, begin in {
        "full": "The disk of this host is full, so that",
        "bad": "The new configuration does not work with the image nginx:1 (an_image);",
    }.items():
        said = refused(process.stdout)[host][-1]
        assert begin in said
        assert failures[host] in said


def test_clients_refuses_a_wrong_type_of_what_it_does_not_need_as_deploy_does(playbook: Playbook) -> None:
    said = refusals(playbook, "clients", {"here": {}}, "-e", "ollama_gateway_auth_failures=abc")
    assert "ollama_gateway_auth_failures: it must be a whole number" in said["here"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (
            "deploy",
            {
                "one": {"ollama_gateway_auth": "baerer"},
                "two": {"ollama_gateway_port": "many"},
                "three": {"ollama_server_num_parallel": "many"},
            },
        ),
        ("uninstall", {"here": {"ollama_gateway_dir": "/opt"}}),
    ],
)
def test_a_wrong_type_or_choice_costs_a_few_lines(
    playbook: Playbook, name: str, wrong: dict[str, dict[str, str]]
) -> None:
    """And not the whole specification of the role."""
    said = refusals(playbook, name, wrong)
    for host, variables in wrong.items():
        (variable,) = variables
        assert f"{variable}: it must be " in said[host]
        assert len(said[host]) < 300


def test_uninstall_says_what_stays_and_shows_no_task_of_a_deployment_where_nothing_is(playbook: Playbook) -> None:
    said = checked(playbook, "uninstall", here={})
    assert "WARNING" not in said
    # Without ansible.cfg, Ansible shows each task that it skips.
    assert [one for one in ("credentials |", "deploy |", "tls |", "attack |") if one in said] == []
    assert said.count("Docker and the images stay.") == 2
    assert f"{playbook.folder}/.gatehouse/secrets" in said
    assert f"{playbook.folder}/.gatehouse/ca" in said
    assert "the models, in the volume gatehouse-ollama_ollama: ollama_server_purge_data=true" in said


# A docker that has both, and says in which network they are.
DOCKER = r"""#!/bin/sh
case "$*" in
  version*) echo '{"Server": {"Version": "29.1.3"}}' ;;
  "compose version"*) echo 2.40.3 ;;
  "network ls"*) echo "ollama true" ;;
  "ps --all --filter=network=ollama "*)
    echo "gatehouse-gateway-gateway-1 gatehouse-gateway"
    echo "gatehouse-ollama-ollama-1 gatehouse-ollama" ;;
  "ps --all --quiet --filter label=com.docker.compose.project=gatehouse-"*) echo c0ffee ;;
  "volume ls"*) echo gatehouse-ollama_ollama ;;
esac
"""


def test_uninstall_in_check_mode_says_that_the_network_goes_with_the_last_who_needs_it(playbook: Playbook) -> None:
    docker = playbook.folder / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    removal = r"(ollama_\w+) : remove \| \w+ \| Remove the network\] \*+ (\w+): \[here\]"
    said = checked(playbook, "uninstall", here={})
    assert re.findall(removal, said) == [("ollama_gateway", "ok"), ("ollama_server", "changed")]
    assert "Would remove volume" not in said
    # Without the gateway, which stays, the network stays too.
    said = checked(playbook, "uninstall", "--tags=ollama_server", here={"ollama_server_purge_data": "true"})
    assert re.findall(removal, said) == [("ollama_server", "ok")]
    assert "Would remove volume gatehouse-ollama_ollama" in said
    docker.write_text(DOCKER.replace('echo "gatehouse-ollama-', ': "'))
    said = checked(playbook, "uninstall", "--tags=ollama_gateway", here={})
    assert re.findall(removal, said) == [("ollama_gateway", "changed")]


def test_verify_in_check_mode_says_that_nothing_was_verified(playbook: Playbook) -> None:
    deployed = playbook.folder / "deployed"
    (deployed / "clients").mkdir(parents=True)
    said = checked(playbook, "verify", here={}, there={"ollama_gateway_dir": str(deployed)})
    assert "Not verified: there is no gateway in /opt/gatehouse-nowhere/gateway on this host yet." in said
    assert said.count("Not verified: there is no gateway in") == 1
    assert "Not verified: check mode looks for no way around the gateway." in said
    assert "Not verified: check mode attacks no gateway." in said


DAMAGED = b"planted-text-of-a-damaged-line"
USAGE = """\
client  key     model        day         requests  prompt-tokens  completion-tokens  counted-tokens  errors  seconds
alice   laptop  tiny:latest  2026-11-01         1              9                 22               0       0      1.2
alice   laptop  tiny:latest  2026-11-02         2             18                 44              31       1      2.5
bob     laptop  {{ 1 + 1 }}  2026-11-01         1              9                 22               0       0      1.2
total   -       -            -                  4             36                 88              31       1      5.0
2026-11-01 to 2026-11-02, days of UTC
one: 1 damaged line left out
gone is not in it: it could not be asked
plain is not in it: it counts no tokens
"""


def use(playbook: Playbook, *options: str, **hosts: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Ask some gateways who used how many tokens in November."""
    days = ("-e", "ollama_gateway_usage_since=2026-11-01", "-e", "ollama_gateway_usage_until=2026-11-30")
    here = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    folders = {host: {"ollama_gateway_dir": str(playbook.folder / host)} for host in hosts}
    write_inventory(playbook, {host: {**here, **folders[host], **variables} for host, variables in hosts.items()})
    return subprocess.run(
        [*PLAYBOOK, str(ROOT / "playbooks/usage.yml"), "-i", "hosts.yml", *days, *options],
        cwd=playbook.folder,
        env=playbook.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture
def counted(playbook: Playbook) -> Playbook:
    """Two gateways that have counted tokens."""
    days = {"_2026_11_01": [ledgers.line(), ledgers.line(model="{{ 1 + 1 }}", client="bob"), DAMAGED + b"\n"]}
    ledgers.folder(playbook.folder / "one/state/usage", _2026_10_31=[ledgers.line()], **days)
    ledgers.folder(
        playbook.folder / "two/state/usage", _2026_11_02=[ledgers.line(), ledgers.line(source="counted", end="broken")]
    )
    return playbook


def test_usage_shows_one_table_for_all_gateways_and_says_which_are_not_in_it(counted: Playbook) -> None:
    unreachable = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": "1"}
    done = use(counted, gone=unreachable, one={}, plain={"ollama_gateway_auth": "basic"}, two={})
    assert done.returncode == 4, done.stdout
    assert set(USAGE.splitlines()) <= set(done.stdout.splitlines()), done.stdout
    assert "\n".join(USAGE.splitlines()[:6]) in done.stdout
    assert done.stdout.count("Plain nginx counts no tokens") == 1
    assert DAMAGED.decode() not in done.stdout


def test_usage_writes_a_file_of_what_the_command_line_asks_for(counted: Playbook) -> None:
    options = {"by": "client,day", "clients": "alice", "format": "csv", "file": "usage.csv"}
    given = [word for name, value in options.items() for word in ("-e", f"ollama_gateway_usage_{name}={value}")]
    # What was counted before is shown, though no more is. Who looks at it need not know the vault.
    secret = {"ollama_gateway_clients": [{"name": "alice", "keys": [{"id": "laptop", "secret": "{{ vault_alice }}"}]}]}
    done = use(counted, *given, one=secret, two={"ollama_gateway_usage": "no"})
    assert done.returncode == 0, done.stdout
    file = counted.folder / "usage.csv"
    assert file.read_text().splitlines() == [
        "client,day,requests,prompt_tokens,completion_tokens,counted_tokens,errors,seconds",
        "alice,2026-11-01,1,9,22,0,0,1.25",
        "alice,2026-11-02,2,18,44,31,1,2.5",
    ]
    assert file.stat().st_mode & 0o777 == 0o600
    assert done.stdout.count("No tokens are counted here, for ollama_gateway_usage is false.") == 1


def test_usage_says_of_a_gateway_without_a_ledger_from_when_on_it_has_one(playbook: Playbook) -> None:
    done = use(playbook, here={})
    assert done.returncode == 2, done.stdout
    (said,) = refused(done.stdout)["here"]
    assert "has its ledger in state/usage below its own folder, from the first deployment on that counts tokens" in said


@pytest.fixture
def one_by_one(playbook: Playbook) -> Playbook:
    """The play of deploy that replaces servers with doors, with a server that fails on the host `bad`."""
    plays = yaml.safe_load((ROOT / "playbooks/deploy.yml").read_text(encoding="utf-8"))
    (play,) = [play for play in plays if play.get("name", "").startswith("Replace the servers that have a door")]
    (turn,) = play["tasks"]
    (ask,) = [task for task in turn["block"] if "gatehouse.ollama.door_drain" in task]
    (role,) = [task for task in turn["block"] if "ansible.builtin.import_role" in task]
    for name in ("gatehouse.ollama.door_drain", "delegate_to", "ignore_unreachable"):
        del ask[name]
    del role["ansible.builtin.import_role"], role["vars"]
    ask["ansible.builtin.debug"] = {"msg": "asked {{ __gatehouse_server }}"}
    role["ansible.builtin.command"] = {"argv": ["test", "{{ inventory_hostname }}", "!=", "bad"]}
    first = {"hosts": "all", "gather_facts": False, "tasks": [{"set_fact": {"__gatehouse_door": {"takes": True}}}]}
    (playbook.folder / "play.yml").write_text(yaml.safe_dump([first, {**play, "become": False}]))
    return playbook


def replace(one_by_one: Playbook, left: list[str], *options: str) -> tuple[int, str]:
    """The exit code, and what was said, where these hosts are left to that play."""
    groups = {"ollama_servers": {"hosts": dict.fromkeys(["a", "bad", "c", "d"])}}
    groups |= {"gatehouse_one_by_one": {"hosts": dict.fromkeys(left)}} if left else {}
    inventory = {"all": {"vars": {"ansible_connection": "local"}, "children": groups}}
    (one_by_one.folder / "hosts.yml").write_text(json.dumps(inventory))
    process = subprocess.run(
        [*PLAYBOOK, "play.yml", "-i", "hosts.yml", "-e", f"ansible_python_interpreter={sys.executable}", *options],
        cwd=one_by_one.folder,
        env=one_by_one.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout


def test_servers_with_a_door_are_replaced_one_after_the_other_until_one_fails(one_by_one: Playbook) -> None:
    code, said = replace(one_by_one, ["a", "bad", "c", "d"])
    assert code == 2, said
    assert re.findall(r"^changed: \[(\w+)\]", said, re.MULTILINE) == ["a"]
    assert "bad could not be replaced, as said above, and the deploy ends here." in said
    assert "These go on as they are: c, d." in said


def test_servers_that_a_run_is_not_for_are_asked_once(one_by_one: Playbook) -> None:
    code, said = replace(one_by_one, ["a", "c"], "--limit=a,c")
    assert code == 0, said
    assert re.findall(r"asked (\w+)", said) == ["bad", "d"]
    assert re.findall(r"^changed: \[(\w+)\]", said, re.MULTILINE) == ["a", "c"]


def test_where_no_server_is_left_nothing_is_asked_or_warned_about(one_by_one: Playbook) -> None:
    code, said = replace(one_by_one, [])
    assert code == 0, said
    assert "WARNING" not in said
    assert "skipping: no hosts matched" in said


@pytest.mark.parametrize(
    ("groups", "order"),
    [
        ({}, []),
        ({"ollama_state": ["b", "a", "c"]}, ["b", "a", "c"]),
        ({"ollama_state": ["b", "a", "c"], "gatehouse_state_primary": ["b"]}, ["a", "c", "b"]),
    ],
)
def test_nodes_of_the_state_are_done_one_by_one_the_primary_last_and_nobody_is_warned_where_there_are_none(
    playbook: Playbook, groups: dict[str, list[str]], order: list[str]
) -> None:
    hosts = {"ollama_servers": ["one"], "ollama_gateways": ["one"], **groups}
    children = {name: {"hosts": dict.fromkeys(members)} for name, members in hosts.items()}
    (playbook.folder / "hosts.yml").write_text(json.dumps({"all": {"children": children}}))
    process = subprocess.run(
        [*PLAYBOOK, str(ROOT / "playbooks/deploy.yml"), "-i", "hosts.yml", "--list-hosts"],
        cwd=playbook.folder,
        env=playbook.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    assert "WARNING" not in process.stdout
    said = re.search(r"Keep what the gateways share\tTAGS: \[\]\n    pattern: (.*)", process.stdout)
    assert said
    assert yaml.safe_load(said[1]) == order
    (play,) = [one for one in yaml.safe_load((ROOT / "playbooks/deploy.yml").read_text()) if "share" in one["name"]]
    assert (play["serial"], play["any_errors_fatal"]) == (1, True)


def write_inventory(playbook: Playbook, hosts: dict[str, dict[str, Any]]) -> None:
    """Hosts that are all this machine and in both groups, with variables of their own."""
    groups = {"ollama_servers": {"hosts": hosts}, "ollama_gateways": {"hosts": dict.fromkeys(hosts)}}
    (playbook.folder / "hosts.yml").write_text(json.dumps({"all": {"children": groups}}))


def checked(playbook: Playbook, name: str, *options: str, **hosts: dict[str, str]) -> str:
    """What a playbook says in check mode on a machine from which everything was removed, in one line."""
    folders = {f"ollama_{one}_dir": f"/opt/gatehouse-nowhere/{one}" for one in ("gateway", "server")}
    write_inventory(playbook, {host: {**folders, **variables} for host, variables in hosts.items()})
    connection = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    given = playbook.folder / "variables.json"
    given.write_text(json.dumps(connection))
    process = subprocess.run(
        [*PLAYBOOK, ROOT / f"playbooks/{name}.yml", "--check", "-i", "hosts.yml", "-e", f"@{given}", *options],
        cwd=playbook.folder,
        # No Docker is found here, but for one that a test puts there.
        env={**playbook.environment(), "PATH": str(playbook.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout
    return " ".join(process.stdout.split())


def refusals(playbook: Playbook, name: str, hosts: dict[str, dict[str, str]], *options: str) -> dict[str, str]:
    """What a playbook says of variables on this machine, where it gets no further than to that, by host."""
    write_inventory(playbook, hosts)
    process = subprocess.run(
        [
            *(*PLAYBOOK, str(ROOT / f"playbooks/{name}.yml"), "--check", "-i", "hosts.yml", *options),
            *("-e", f"ansible_python_interpreter={sys.executable}"),
            *("-e", "ansible_connection=local", "-e", "ansible_become=false", "--tags", "ollama_gateway,ollama_server"),
        ],
        cwd=playbook.folder,
        # Of the facts of this machine, none is asked before the variables are judged.
        env={**playbook.environment(), "ANSIBLE_GATHERING": "explicit"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert process.returncode == 2, process.stdout
    said = refused(process.stdout)
    assert {host: len(lines) for host, lines in said.items()} == dict.fromkeys(hosts, 1)
    return {host: line for host, (line,) in said.items()}


def refused(output: str) -> dict[str, list[str]]:
    """The lines of failed tasks, by host."""
    said: dict[str, list[str]] = {}
    for line in output.splitlines():
        if line.startswith("fatal: ["):
            said.setdefault(line.removeprefix("fatal: [").partition("]")[0], []).append(line)
    return said
