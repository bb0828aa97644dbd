# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The curl line that people are given works from where they sit, and has no secret in it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.plugin_utils._first_request import (
    Gateway,
    Way,
    credential_of,
    first_request,
    url,
)

from tests.unit.conftest import Direct, Playbook

SSH = Way("ssh", "llm.example.com", "admin", "")
LOCAL = Way("local", "localhost", "", "")
FOLDER = "long/" * 30 + "secrets"
DOCKER = Way("community.docker.docker", "box", "", "")


def gateway(**changes: Any) -> Gateway:
    given = {"scheme": "http", "bind": "127.0.0.1", "port": 8880, "names": (), "main_name": "127.0.0.1", "ca_file": ""}
    return Gateway(**{**given, "needs_certificate": False, **changes})


def test_a_gateway_of_this_machine_is_asked_directly() -> None:
    assert first_request(gateway(), LOCAL, "-u alice") == [
        "To try it:",
        "curl -i -u alice http://127.0.0.1:8880/api/version",
    ]


def test_loopback_of_another_machine_is_reached_through_ssh() -> None:
    assert first_request(gateway(), SSH, "-u alice") == [
        "To try it, from here:",
        "ssh -f -N -L 8880:127.0.0.1:8880 -- admin@llm.example.com",
        "curl -i -u alice http://127.0.0.1:8880/api/version",
    ]
    other = Way("ansible.builtin.ssh", "192.0.2.1", "", "2222")
    tunnel = first_request(gateway(bind="::1", port=443), other, "")[1]
    assert tunnel == "ssh -f -N -L '8443:[::1]:443' -p 2222 -- 192.0.2.1"
    said = first_request(gateway(), DOCKER, "--oauth2-bearer $(cat /s/alice.laptop)")
    assert said[0] == "To try it, on the host itself, KEY being a key from above:"
    assert said[1] == "curl -i --oauth2-bearer $KEY http://127.0.0.1:8880/api/version"


def test_through_ssh_a_certificate_is_asked_for_by_a_name_that_it_has() -> None:
    secure = {"scheme": "https", "ca_file": "/my hosts/ca.pem", "main_name": "llm"}
    line = first_request(gateway(names=["llm", "127.0.0.1"], **secure), SSH, "")[-1]
    assert line == "curl -i --cacert '/my hosts/ca.pem' https://127.0.0.1:8880/api/version"
    line = first_request(gateway(names=["llm"], port=443, **secure), SSH, "")[-1]
    assert shlex.split(line)[-3:] == ["--connect-to", "::127.0.0.1:8443", "https://llm:443/api/version"]


def test_beyond_loopback_the_name_is_one_by_which_the_host_is_reached_from_here() -> None:
    wide = {"bind": "0.0.0.0", "main_name": "llm", "scheme": "https"}
    assert url(gateway(names=["llm", "llm.example.com"], **wide), SSH) == "https://llm.example.com:8880"
    assert url(gateway(**wide), SSH) == "https://llm.example.com:8880"
    assert url(gateway(names=["llm"], **wide), SSH) == "https://llm:8880"
    assert url(gateway(names=["llm", "box"], **wide), DOCKER) == "https://llm:8880"
    assert url(gateway(bind="fd00::1", main_name="fd00::1"), SSH) == "http://[fd00::1]:8880"


def test_a_gateway_that_shares_an_address_is_known_by_that() -> None:
    shared = {"bind": "0.0.0.0", "main_name": "10.0.0.100", "scheme": "https", "shared": True}
    assert url(gateway(names=["10.0.0.100", "llm.example.com"], **shared), SSH) == "https://10.0.0.100:8880"
    assert url(gateway(**shared), SSH) == "https://10.0.0.100:8880"


def test_a_credential_is_told_by_reference() -> None:
    alice = {"name": "alice", "password": "a-secret", "keys": [{"id": "own", "secret": "a-secret"}, {"id": "laptop"}]}
    gone = {"name": "gone", "keys": [{"id": "laptop"}], "state": "absent"}
    later = {"name": "later", "keys": [{"id": "x", "not_before": "2099-01-01T00:00:00Z"}]}
    assert credential_of([gone, later, alice], "both", "/my hosts/s") == (
        "--oauth2-bearer $(cat '/my hosts/s/alice.laptop')"
    )
    assert credential_of([alice], "basic", "/s") == "-u alice"
    assert credential_of([{"name": "a", "keys": [{"id": "own", "secret": "a-secret"}]}], "bearer", "/s") == (
        "--oauth2-bearer $KEY"
    )
    assert credential_of([], "both", "/s") == ""


def test_the_summary_has_lines_to_paste_and_no_secret(playbook: Playbook) -> None:
    """Also not with -vvv. Whatever form Ansible gives to results, each line is whole."""
    clients = [{"name": "alice", "password": "correct-horse-1", "keys": [{"id": "laptop"}]}]
    options = {
        "clients": "{{ clients }}",
        **{"auth": "both", "secrets_dir": f"/{FOLDER}", "scheme": "http", "bind": "127.0.0.1", "port": 8880},
        **{"main_name": "127.0.0.1", "names": ["127.0.0.1", "llm"], "host": "llm.example.com", "user": "admin"},
    }
    run = playbook.run([{"gatehouse.ollama.gateway_summary": options}], "-vvv", clients=clients)
    assert run.only[0]["lines"] == [
        "Gateway: http://127.0.0.1:8880",
        "It goes by these names, too: llm",
        "Clients: alice",
        f"Generated keys, on this controller: /{FOLDER}/<client>.<key id>",
        "To try it, from here:",
        "ssh -f -N -L 8880:127.0.0.1:8880 -- admin@llm.example.com",
        f"curl -i --oauth2-bearer $(cat /{FOLDER}/alice.laptop) http://127.0.0.1:8880/api/version",
    ]
    assert "\n".join(["", *run.only[0]["lines"], ""]) in run.output
    assert "correct-horse-1" not in run.output


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_without_clients_it_says_where_to_list_them(direct: Direct, auth: str) -> None:
    options = {"clients": [], "auth": auth, "secrets_dir": "/s", "scheme": "http", "bind": "127.0.0.1", "port": 1}
    run = direct.run([{"gatehouse.ollama.gateway_summary": {**options, "main_name": "a", "host": "b"}}])
    assert run.only[0]["lines"][1] == "Clients: none yet, list them in ollama_gateway_clients"
