# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tasks of a playbook run with which tags."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.conftest import Playbook

ROOT = Path(__file__).resolve().parents[2]
LIST = "List who may come in"


def tasks(playbook: Playbook, name: str, *options: str) -> list[str]:
    """The names of the tasks that would run, but for those that check the arguments of a role."""
    process = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", f"playbooks/{name}.yml", "--list-tasks", *options],
        cwd=ROOT,
        env=playbook.environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    names = [line.partition("\t")[0].strip() for line in process.stdout.splitlines() if line.startswith("      ")]
    return [one for one in names if "Validating arguments against arg spec" not in one]


def test_clients_lists_nobody_unless_asked_to(playbook: Playbook) -> None:
    names = tasks(playbook, "clients")
    assert "gatehouse.ollama.ollama_gateway : credentials | Write the API keys" in names
    assert LIST not in names


def test_clients_writes_nothing_when_it_is_asked_to_list(playbook: Playbook) -> None:
    finding = "Refuse an inventory that names neither a server nor a gateway, and without one take this machine"
    assert tasks(playbook, "clients", "--tags", "list") == [finding, LIST]


def find(playbook: Playbook, *options: str) -> tuple[int, str]:
    """Run the play that finds the hosts from a folder without ansible.cfg: its exit code, and what was said."""
    asked = {"ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false", "COLUMNS": "500"}
    (playbook.folder / "find.yml").write_text(
        f"- import_playbook: {ROOT}/playbooks/groups.yml\n"
        "- {hosts: ollama_servers, gather_facts: false, tasks: [{debug: {msg: 'meant: {{ inventory_hostname }}'}}]}\n"
    )
    process = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "find.yml", *options],
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
    for source, why in {"nonexist": "does not exist", "empty": "gives no host", "none.yml": "gives no host"}.items():
        code, said = find(playbook, "-i", source)
        assert code == 2, said
        assert f"{source} {why}, so nothing is done. Name one with hosts, such as -i my-hosts" in said
        assert "meant: localhost" not in said
    # Where Ansible looks by itself, too, if somebody names it.
    for option in ("-i", "-vi", "--inventory", "--inv"):
        code, said = find(playbook, option, "/etc/ansible/hosts")
        assert (code, "meant: localhost" in said) == (2, False), said


@pytest.mark.parametrize("start", ["*", "Without an inventory, deploy to this machine", "Refuse*", "de?ug"])
def test_wherever_a_run_starts_a_mistyped_inventory_never_means_this_machine(playbook: Playbook, start: str) -> None:
    _code, said = find(playbook, "-i", "nonexist", "--start-at-task", start)
    assert "meant: localhost" not in said
    assert "nonexist does not exist, so nothing is done" in said or "No matching task" in said


@pytest.mark.parametrize("wrong", ["ollama_gateway", "ollama-gateways", "ollama_gatways", "Ollama_Gateways"])
def test_a_near_miss_of_a_group_is_refused_with_the_group_that_is_meant(playbook: Playbook, wrong: str) -> None:
    inventory = playbook.folder / "hosts.yml"
    inventory.write_text(
        f"all: {{children: {{ollama_servers: {{hosts: {{llm: }}}}, {wrong}: {{hosts: {{llm: }}}}}}}}\n"
    )
    code, said = find(playbook, "-i", "hosts.yml")
    assert code == 2, said
    assert f"The group {wrong} means nothing here; is ollama_gateways meant? Only in {wrong}: llm." in said


def test_where_our_groups_are_missing_their_last_word_is_a_near_miss(playbook: Playbook) -> None:
    (playbook.folder / "hosts.ini").write_text("[servers]\nllm\n[Gateway]\ngate\n[db]\nother\n")
    code, said = find(playbook, "-i", "hosts.ini")
    assert code == 2, said
    assert "The group servers means nothing here; is ollama_servers meant? Only in servers: llm." in said
    assert "The group Gateway means nothing here; is ollama_gateways meant? Only in Gateway: gate." in said
    assert "group db" not in said


def test_groups_of_ones_own_are_nobodys_business(playbook: Playbook) -> None:
    """A part of the right group may have any name, and so may what is none of ours."""
    inventory = playbook.folder / "hosts.ini"
    local = "ansible_connection=local"
    inventory.write_text(
        f"[ollama_server]\nllm {local}\n[ollama_servers:children]\nollama_server\n[ollama]\nllm\nother\n"
        f"[my_ollama_gateways]\nother {local}\n[ollama_gateways_of_ours]\nother\n[servers]\nother\n[gateways]\nother\n"
    )
    code, said = find(playbook, "-i", "hosts.ini")
    assert code == 0, said
    assert "meant: llm" in said


def test_a_hole_does_not_hide_where_the_gateway_is(playbook: Playbook) -> None:
    names = tasks(playbook, "deploy")
    attack = names.index("gatehouse.ollama.ollama_gateway : Attack the gateway")
    assert "gatehouse.ollama.ollama_gateway : Say where the gateway is" in names[:attack]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ("path: /x cannot be read or written: No space left on device", "The disk of this host is full, so that"),
        ("nginx: [emerg] unknown directive", "The new configuration does not work with the image nginx:1 (an_image);"),
    ],
)
def test_a_full_disk_is_said_and_not_taken_for_a_bad_configuration(playbook: Playbook, failure: str, said: str) -> None:
    """What the role says where the trial of a configuration fails."""
    (trial,) = yaml.safe_load((ROOT / "roles/ollama_gateway/tasks/trial.yml").read_text(encoding="utf-8"))
    failing = {"block": [{"ansible.builtin.fail": {"msg": failure}}], "rescue": trial["rescue"]}
    names = {"__ollama_gateway_image": "nginx:1", "__ollama_gateway_image_variable": "an_image"}
    play = {"hosts": "localhost", "gather_facts": False, "vars": names, "tasks": [failing]}
    (playbook.folder / "play.yml").write_text(yaml.safe_dump([play]))
    process = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "play.yml"],
        cwd=playbook.folder,
        env=playbook.environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert said in process.stdout
    assert failure in process.stdout


def test_clients_refuses_a_wrong_type_of_what_it_does_not_need_as_deploy_does(playbook: Playbook) -> None:
    assert "ollama_gateway_auth_failures: it must be a whole number" in refusal(
        playbook, "clients", "ollama_gateway_auth_failures=abc"
    )


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("deploy", "ollama_gateway_auth=baerer"),
        ("deploy", "ollama_gateway_port=many"),
        ("deploy", "ollama_server_num_parallel=many"),
        ("uninstall", "ollama_gateway_port=many"),
    ],
)
def test_a_wrong_type_or_choice_costs_a_few_lines(playbook: Playbook, name: str, wrong: str) -> None:
    """And not the whole specification of the role."""
    said = refusal(playbook, name, wrong)
    assert f"{wrong.partition('=')[0]}: it must be " in said
    assert len(said) < 300


def test_uninstall_says_what_stays_and_shows_no_task_of_a_deployment_where_nothing_is(playbook: Playbook) -> None:
    said = checked(playbook, "uninstall")
    assert "WARNING" not in said
    # Without ansible.cfg, Ansible shows each task that it skips.
    assert [one for one in ("credentials |", "files |", "service |", "server |") if one in said] == []
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
    removal = r"(ollama_\w+) : absent \| Remove the network\] \*+ (\w+): \[here\]"
    said = checked(playbook, "uninstall")
    assert re.findall(removal, said) == [("ollama_gateway", "ok"), ("ollama_server", "changed")]
    assert "Would remove volume" not in said
    # Without the gateway, which stays, the network stays too.
    said = checked(playbook, "uninstall", "--tags=ollama_server", ollama_server_purge_data="true")
    assert re.findall(removal, said) == [("ollama_server", "ok")]
    assert "Would remove volume gatehouse-ollama_ollama" in said
    docker.write_text(DOCKER.replace('echo "gatehouse-ollama-', ': "'))
    said = checked(playbook, "uninstall", "--tags=ollama_gateway")
    assert re.findall(removal, said) == [("ollama_gateway", "changed")]


def test_verify_in_check_mode_says_that_nothing_was_verified(playbook: Playbook) -> None:
    said = checked(playbook, "verify")
    assert "Not verified: there is no gateway in /opt/gatehouse-nowhere/gateway on this host yet." in said
    assert "Not verified: check mode looks for no way around the gateway." in said
    deployed = playbook.folder / "deployed"
    (deployed / "clients").mkdir(parents=True)
    said = checked(playbook, "verify", ollama_gateway_dir=str(deployed))
    assert "Not verified: check mode attacks no gateway." in said


def checked(playbook: Playbook, name: str, *options: str, **variables: str) -> str:
    """What a playbook says in check mode on a machine from which everything was removed, in one line."""
    (playbook.folder / "hosts.yml").write_text(
        "all: {children: {ollama_servers: {hosts: {here: }}, ollama_gateways: {hosts: {here: }}}}\n"
    )
    connection = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    folders = {f"ollama_{one}_dir": f"/opt/gatehouse-nowhere/{one}" for one in ("gateway", "server")}
    given = playbook.folder / "variables.json"
    given.write_text(json.dumps({**connection, **folders, **variables}))
    process = subprocess.run(
        [
            *(sys.executable, "-m", "ansible", "playbook", ROOT / f"playbooks/{name}.yml", "--check"),
            *("-i", "hosts.yml", "-e", f"@{given}", *options),
        ],
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


def refusal(playbook: Playbook, name: str, variable: str) -> str:
    """What a playbook says of a variable on this machine, where it gets no further than to that."""
    (playbook.folder / "hosts.yml").write_text(
        "all: {children: {ollama_servers: {hosts: {here: }}, ollama_gateways: {hosts: {here: }}}}\n"
    )
    process = subprocess.run(
        [
            *(sys.executable, "-m", "ansible", "playbook", ROOT / f"playbooks/{name}.yml", "--check"),
            *("-i", "hosts.yml", "-e", variable, "-e", f"ansible_python_interpreter={sys.executable}"),
            *("-e", "ansible_connection=local", "-e", "ansible_become=false", "--tags", "ollama_gateway,ollama_server"),
        ],
        cwd=playbook.folder,
        env=playbook.environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert process.returncode == 2, process.stdout
    (said,) = [line for line in process.stdout.splitlines() if line.startswith("fatal: ")]
    return said
