# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holes are cut into a deployed gateway by hand: verify.yml finds each, and leaves nothing of its own behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import pytest
from testinfra.host import Host

from tests.client import ROOT, Gateway, playbook, told
from tests.scenario import Scenario

SCENARIO = Scenario(Path(__file__).parents[1])
GATEWAY = Gateway(SCENARIO.url("gate"))
FOLDER = "/opt/gatehouse/gateway"
KEY_FILE = SCENARIO.inventory.parent / ".gatehouse" / "secrets" / "alice.laptop"


@pytest.fixture(scope="module")
def gate() -> Host:
    return SCENARIO.host("gate")


def verify(part: str = "all") -> tuple[int, str]:
    """The exit code of verify.yml, or of the part of one role, and what it printed, all in one line."""
    done = playbook(SCENARIO.inventory, "verify", f"--tags={part}")
    return done.returncode, told(done)


def live(host: Host) -> str:
    """All that there is of the gateway: every file with its content, its inode and its times, and the container."""
    host.run_expect([0], f"test -f {FOLDER}/clients/api_keys")
    files = f"find {FOLDER} -printf '%p %y %i %m %U %G %s %T@ %C@\\n' | sort"
    contents = f"find {FOLDER} -type f | sort | xargs sha256sum"
    container = "docker inspect -f '{{.Id}} {{.State.StartedAt}} {{.State.Pid}}' gatehouse-gateway-gateway-1"
    return host.check_output(f"{files}; {contents}; {container}")


def leftovers(host: Host) -> str:
    """What a throw-away gateway would leave behind."""
    found = host.check_output("docker ps --all --quiet --filter label=gatehouse.ollama.wall")
    return found + host.run("ls -d /run/gatehouse-gateway-wall").stdout


@contextmanager
def changed(host: Host, path: str, script: str, after: str) -> Iterator[None]:
    """A file that a `sed` script changes, until the block ends; `after` makes that count, both times."""
    host.run_expect([0], f"cp -a {path} /root/kept && sed -i -E {quote(script)} {path}")
    try:
        host.run_expect([1], f"cmp -s {path} /root/kept")
        host.run_expect([0], after)
        yield
    finally:
        host.run_expect([0], f"cp -a /root/kept {path} && {after}")


@contextmanager
def stranger(host: Host, folder: str) -> Iterator[None]:
    """A program of the host that gives everybody at loopback the files of a folder."""
    host.run_expect([0], f"systemd-run -q --unit=stranger python3 -m http.server 8081 --bind 127.0.0.1 -d {folder}")
    try:
        host.run_expect([0], "timeout 10 bash -c 'until (exec 3<>/dev/tcp/127.0.0.1/8081) 2>&-; do sleep 0.1; done'")
        yield
    finally:
        host.run_expect([0], "systemctl stop stranger")


RELOAD = "docker kill -s HUP gatehouse-gateway-gateway-1 && sleep 2"
RECREATE = "cd /opt/gatehouse/ollama && docker compose -p gatehouse-ollama up -d --wait"


def test_a_sound_gateway_withstands_and_nothing_is_written_to_it(gate: Host) -> None:
    before = live(gate)
    code, output = verify()
    assert code == 0, output
    without, beside = re.findall(r"Attacked: (.*?) ([0-9]+) attacks in [0-9.]+ s, no hole", output)
    assert without[0].startswith("the running gateway, http://127.0.0.1:8880, without a credential")
    assert int(without[1]) > 100
    assert beside[0].startswith("a throw-away gateway of its image and configuration")
    assert int(beside[1]) > 2000
    assert "changed=0" in output
    assert live(gate) == before
    assert leftovers(gate) == ""


def attack_begins(host: Host) -> subprocess.Popen[bytes]:
    """A run of verify.yml that goes on, once it has its throw-away gateway."""
    command: list[str | Path] = [ROOT / ".venv/bin/ansible-playbook", "-i", SCENARIO.inventory, "playbooks/verify.yml"]
    command.append("--tags=ollama_gateway")
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    seen = "docker ps -q --filter label=gatehouse.ollama.wall | grep -q ."
    host.run_expect([0], f"timeout 120 bash -c 'until {seen}; do sleep 0.1; done'")
    return running


def tried(host: Host) -> str:
    """The status of a try with a wrong key, by a user of the host: from where the attack comes as well."""
    send = r"printf 'GET /api/version HTTP/1.0\r\nAuthorization: Bearer %040d\r\n\r\n' 0 >&3"
    answer = host.check_output("bash -c " + quote(f"exec 3<>/dev/tcp/127.0.0.1/8880 && {send} && head -n 1 <&3"))
    return answer.split()[1]


def test_failed_tries_of_others_count_before_and_after_as_many(gate: Host) -> None:
    """A client that failed 9 times of 10 has one try left after the attack, and no more."""
    running = attack_begins(gate)
    begun = time.monotonic()
    assert [tried(gate) for _ in range(9)] == ["401"] * 9
    assert running.wait(60) == 0
    assert [tried(gate), tried(gate)] == ["401", "429"]
    assert time.monotonic() - begun < 60, "the count ended by itself"


def test_a_killed_attack_leaves_nothing_in_the_gateway_and_nothing_for_long(gate: Host) -> None:
    before = live(gate)
    running = attack_begins(gate)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert live(gate) == before
    assert leftovers(gate) != "", "it was killed too late"
    life = gate.check_output("docker inspect -f '{{json .Args}}' gatehouse-gateway-wall")
    assert re.search(r'"--kill-after=10","[0-9]{2,3}",', life), "it would not end by itself"
    code, output = verify("ollama_gateway")
    assert code == 0, output
    assert leftovers(gate) == ""
    assert live(gate) == before


def test_a_file_that_the_running_gateway_has_not_read_is_found(gate: Host) -> None:
    with changed(gate, f"{FOLDER}/conf/routes.conf", "$a# changed", "true"):
        code, output = verify("ollama_gateway")
    gate.run_expect([0], RELOAD)
    assert code != 0
    assert "The running gateway does not run what is on disk" in output
    assert leftovers(gate) == ""


def test_a_published_port_is_found(gate: Host) -> None:
    script = r's/OLLAMA_HOST: .*/OLLAMA_HOST: "0.0.0.0:11434"/; s/^    healthcheck:/    ports: ["18434:11434"]\n&/'
    with changed(gate, "/opt/gatehouse/ollama/compose.yaml", script, RECREATE):
        code, output = verify("ollama_server")
    assert code != 0
    assert "The wall has a hole (side doors): 10.213.0.111:18434" in output or "127.0.0.1:18434" in output, output
    assert "Came back: HTTP/1.1 200 OK" in output


def forwarded(host: Host, folder: str) -> tuple[int, str]:
    """What verify makes of a port of the host that is forwarded to that program: its own users do not see it."""
    forward = (
        f"iptables -t nat -%s PREROUTING -d {SCENARIO.address('gate')} -p tcp --dport 11434 -j DNAT --to 127.0.0.1:8081"
    )
    with stranger(host, folder):
        host.run_expect([0], "sysctl -q -w net.ipv4.conf.eth0.route_localnet=1 && " + forward % "A")
        try:
            return verify("ollama_server")
        finally:
            host.run_expect([0], forward % "D")


def test_a_port_that_only_others_reach_is_found_by_the_neighbour(gate: Host) -> None:
    """What answers there says what the server says."""
    folder, key = "/root/double", KEY_FILE.read_text().strip()
    gate.run_expect([0], f"mkdir -p {folder}/api")
    for path in ("/api/version", "/api/tags"):
        ask = f"Request('http://127.0.0.1:8880{path}', headers={{'Authorization': 'Bearer {key}'}})"
        script = f"from urllib.request import *; print(urlopen({ask}).read().decode())"
        gate.run_expect([0], f'python3 -c "{script}" > {folder}{path}')
    code, output = forwarded(gate, folder)
    assert code != 0
    assert "gate -> neighbour" in output, output
    assert f"The wall has a hole (side doors): {SCENARIO.address('gate')}:11434" in output


def test_another_program_at_the_port_of_the_server_is_no_hole(gate: Host) -> None:
    code, output = forwarded(gate, "/usr/share/doc")
    assert code == 0, output


def test_files_that_others_may_read_or_replace_are_found_all_at_once(gate: Host) -> None:
    link, open_one = f"{FOLDER}/clients/api_keys", f"{FOLDER}/clients/htpasswd"
    gate.run_expect([0], f"chmod o+r {open_one} && mv {link} /root/keys && ln -s /root/keys {link}")
    try:
        code, output = verify("ollama_gateway")
    finally:
        gate.run_expect([0], f"chmod o-r {open_one} && rm {link} && mv /root/keys {link}")
    assert code != 0
    assert re.search(rf"The wall has a hole \(files\): ({link}|{open_one})\.", output), output
    # The one in words, and both in what the task returns.
    assert "There are 1 more of this class" in output
    assert [one for one in (f"name: {link}", "a link", f"name: {open_one}", "mode 0644") if one not in output] == [], (
        output
    )


def test_an_authorization_that_is_passed_on_is_found(gate: Host) -> None:
    with changed(gate, f"{FOLDER}/conf/proxy.conf", "/proxy_pass_request_headers/d", RELOAD):
        code, output = verify("ollama_gateway")
    assert code != 0
    assert "The wall has a hole (what is passed on)" in output
    assert "Authorization: <a credential>" in output or "Authorization: Bearer <a credential>" in output
    assert "gatehouse-wall-admin:" not in output


def test_after_a_hole_the_clients_of_the_wall_are_gone_too(gate: Host) -> None:
    with changed(gate, f"{FOLDER}/conf/settings.json", r's#"scope": "models_write"#"scope": "any"#', RELOAD):
        changed_one = live(gate)
        code, output = verify("ollama_gateway")
        assert live(gate) == changed_one
    assert code != 0
    assert "The wall has a hole (scopes)" in output
    assert leftovers(gate) == ""
    assert GATEWAY.status(key=KEY_FILE.read_text().strip()) == 200
