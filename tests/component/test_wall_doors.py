# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall's attack on doors: the role's configuration withstands it, and each hole that is cut into one is found."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import certificates
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.run import Budget, Result
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.table import hole, summary
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.wall import Wall

from tests.certificates import Authority
from tests.collection import ROOT
from tests.component.contract.standins import Standin
from tests.component.doors import Door
from tests.component.test_wall import server

__all__ = ["server"]

GATEWAYS = ["gateway-1", "gateway-2"]
STRANGERS = "doors without a gateway's certificate"
# Those that OpenSSL refuses, and those whose name the door has to look at.
UNSIGNED = [
    *("of a foreign CA", "of another CA of that name", "expired", "for servers", "signed by one that is no CA"),
]
NAMED = [
    *("of no gateway", "a gateway's name and more", "a gateway's name in capitals", "a gateway's name as a unit's"),
    "a gateway's name behind a comma",
]


class Attacked:
    """A door that may have been broken by hand, in front of a stand-in for Ollama."""

    def __init__(self, door: Door) -> None:
        self.door = door
        own = door.authority.own
        given = (own.certificate, own.key, GATEWAYS, datetime.datetime.now(datetime.timezone.utc))
        self.worthless = certificates.worthless(*given)
        self.valid = certificates.valid(*given)

    def attack(self, **options: Any) -> list[Result]:
        everything: dict[str, Any] = {
            "routes": [],
            "credentials": [],
            "side_doors": [],
            "request_timeout": 5,
            "doors": ["127.0.0.1"],
            "door_ports": [int(one.rpartition(":")[2]) for one in self.door.addresses],
            "door_certificates": [*self.worthless, *self.valid],
            "door_ca": self.door.authority.pem,
            **options,
        }
        self.wall = Wall(None, everything, None)
        return self.wall.attack(Budget(10000, 2000, 120))

    def got(self, results: list[Result]) -> dict[str, str]:
        """What each certificate got on a route that reads."""
        return {one.route: one.got for one in results if one.column == "read"}


@contextlib.contextmanager
def attacked(folder: Path, *upstreams: str, cuts: Sequence[tuple[str, str]] = ()) -> Iterator[Attacked]:
    """Each of `cuts` is a pattern of the configuration and what stands in its place."""
    one = Door(folder, upstreams, gateways=GATEWAYS)
    path = one.folder / "conf" / "nginx.conf"
    for pattern, new in cuts:
        text, count = re.subn(pattern, new, path.read_text())
        assert count > 0, pattern
        path.write_text(text)
    try:
        one.start()
        yield Attacked(one)
    finally:
        one.stop()


def test_a_sound_door_withstands_every_attack_and_lets_a_gateway_in(server: Standin, tmp_path: Path) -> None:
    with attacked(tmp_path / "door", server.address, server.address) as one:
        results = one.attack()
        lines = one.wall.table(results)
    assert hole(results) == ""
    assert [line.rpartition(":")[0] for line in summary(results)] == [
        f"✓ {STRANGERS}",
        "✓ doors by other ways than HTTPS",
        "✓ doors with a gateway's certificate",
        "✓ doors beyond their routes",
    ]
    # Two doors.
    assert len(results) > 400
    assert one.got(results) == {
        "none": "400",
        **dict.fromkeys(UNSIGNED, "400"),
        **dict.fromkeys(NAMED, "403"),
    }
    assert [line.split()[-3:] for line in lines] == [
        ["status", "read", "inference"],
        ["400"] * 3,
        ["403"] * 3,
        ["in", "-", "-"],
    ]


def test_what_lies_beyond_the_routes_never_reaches_ollama(upstream: Any, tmp_path: Path) -> None:
    """Nor does anything of a stranger: it is asked for its lists alone."""
    before = len(upstream.requests)
    upstream.answers |= {f"/api/{name}": b'{"models":[]}' for name in ("tags", "ps")}
    try:
        with attacked(tmp_path / "door", upstream.address) as one:
            assert hole(one.attack()) == ""
    finally:
        upstream.answers.clear()
    assert set(upstream.requests[before:]) <= {"GET /api/tags HTTP/1.1", "GET /api/ps HTTP/1.1"}
    assert len(upstream.requests[before:]) <= 2


def verifying(how: str) -> tuple[str, str]:
    return r"ssl_verify_client on;", f"ssl_verify_client {how};"


# No name is looked at, also where there is none.
ANYBODY = (r'(map \$ssl_client_s_dn \$gatehouse_gateway \{\s*default) "";', r'\1 "anybody";')


@pytest.mark.parametrize(
    ("cuts", "let_in"),
    [
        ([verifying("off"), ANYBODY], ["none", *UNSIGNED, *NAMED]),
        ([verifying("optional"), ANYBODY], ["none", *NAMED]),
        # The right names of wrong CAs are enough.
        ([verifying("optional_no_ca")], ["of a foreign CA", "of another CA of that name"]),
        ([ANYBODY], NAMED),
    ],
    ids=["off", "optional", "optional_no_ca", "any name"],
)
def test_a_door_that_does_not_look_at_certificates_is_found(
    cuts: list[tuple[str, str]], let_in: list[str], server: Standin, tmp_path: Path
) -> None:
    with attacked(tmp_path / "door", server.address, cuts=cuts) as one:
        results = one.attack()
    assert [name for name, got in one.got(results).items() if got == "in"] == let_in
    text = hole(results)
    what = "no certificate" if let_in[0] == "none" else f"with a certificate {let_in[0]}"
    assert text.startswith(f"The wall has a hole ({STRANGERS}): {one.door.address}: status, {what}.\n")
    assert "Came back:\n    HTTP/1.1 200 OK" in text


@pytest.mark.parametrize(
    ("old", "new", "let_in"),
    [
        ("^CN=", "CN=", "a gateway's name behind a comma"),
        ('$" "', '" "', "a gateway's name and more"),
        ('"~^CN=', '"~*^CN=', "a gateway's name in capitals"),
    ],
    ids=["a name anywhere", "the beginning of a name", "a name in any case"],
)
def test_a_door_that_looks_at_a_name_carelessly_is_found(
    old: str, new: str, let_in: str, server: Standin, tmp_path: Path
) -> None:
    with attacked(tmp_path / "door", server.address, cuts=[(re.escape(old), new)]) as one:
        got = one.got(one.attack())
    assert got[let_in] == "in"


def test_a_door_that_passes_every_path_is_found(server: Standin, tmp_path: Path) -> None:
    cut = (r'(\$gatehouse_is_route \{\s*default) "";', r"\1 1;")
    with attacked(tmp_path / "door", server.address, cuts=[cut]) as one:
        text = hole(one.attack())
    assert text.startswith("The wall has a hole (doors beyond their routes): ")
    assert "404 page not found" in text or "HTTP/1.1 301" in text or "HTTP/1.1 200" in text


def test_a_door_that_speaks_an_old_version_is_found(server: Standin, tmp_path: Path) -> None:
    cut = (
        r"ssl_protocols TLSv1.2 TLSv1.3;\s*ssl_ciphers ",
        "ssl_protocols TLSv1.1 TLSv1.2;\nssl_ciphers ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0:",
    )
    with attacked(tmp_path / "door", server.address, cuts=[cut]) as one:
        text = hole(one.attack())
    assert "a handshake with TLS 1.1." in text
    assert "a ServerHello, version 0302" in text


def test_a_door_without_tls_is_found(server: Standin, tmp_path: Path) -> None:
    cut = (
        r'(listen \S+) ssl;([\s\S]*?)if \(\$gatehouse_gateway = ""\) \{\s*return 403;\s*\}([\s\S]*?)'
        r'if \(\$gatehouse_gateway = ""\) \{\s*return 403;\s*\}',
        r"\1;\2\3",
    )
    with attacked(tmp_path / "door", server.address, cuts=[cut]) as one:
        text = hole(one.attack())
    assert text.startswith(
        f"The wall has a hole (doors by other ways than HTTPS): {one.door.address}: plain HTTP, status."
    )


def test_a_door_with_a_certificate_of_another_ca_is_found(server: Standin, tmp_path: Path) -> None:
    with attacked(tmp_path / "door", server.address) as one:
        one.door.present(Authority("Another").issue("gatehouse-door"))
        text = hole(one.attack())
    assert text.startswith("The wall has a hole (doors with a gateway's certificate)")
    assert "certificate verify failed" in text


def test_a_door_is_no_side_door(server: Standin, tmp_path: Path) -> None:
    """All ports that a project publishes are looked at from everywhere, that of the door too."""
    with attacked(tmp_path / "door", server.address) as one:
        place = {"host": "127.0.0.1", "port": int(one.door.address.rpartition(":")[2]), "place": "here"}
        (result,) = one.attack(doors=[], side_doors=[place], servers=[{"version": "0.32.15", "models": []}])
    assert (result.held, result.note, result.came_back[:12]) == (True, "", "HTTP/1.1 400")


def verified(folder: Path, one: Attacked) -> tuple[int, str]:
    """What the role's own tasks make of the door of alpha, with beta as another host; both are this machine."""
    place = folder / "door_ca"
    place.mkdir(mode=0o700)
    (place / "ca.pem").write_text(one.door.authority.pem)
    (place / "ca.key").touch(mode=0o600)
    (place / "ca.key").write_text(one.door.authority.own.key_pem)
    ports = [{"port": int(address.rpartition(":")[2])} for address in one.door.addresses]
    plan = {"door_ca_dir": str(place), "door_gateways": GATEWAYS, "door_ports": ports}
    given = {"name": "gatehouse.ollama.ollama_server", "tasks_from": "attack/door", "rolespec_validate": False}
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ollama_server_door_bind": "127.0.0.1",
        "ollama_server_verify_from": ["alpha", "beta"],
        "__ollama_server_plan": plan,
    }
    play = {"hosts": "alpha", "gather_facts": False, "vars": variables, "tasks": [{"include_role": given}]}
    (folder / "play.yml").write_text(json.dumps([play]))
    command = [sys.executable, "-m", "ansible", "playbook", "-vvv", "-i", "alpha,beta,", str(folder / "play.yml")]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "500"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_role_attacks_from_everywhere_and_says_whose_door_it_is(server: Standin, tmp_path: Path) -> None:
    """And no key is printed, also with -vvv."""
    with attacked(tmp_path / "door", server.address) as one:
        code, output = verified(tmp_path, one)
    assert code == 0, output
    shown = [line.strip(" -'") for line in output.partition("Show what withstood")[2].splitlines()]
    told = re.sub(r"[0-9.]+ s,", "1 s,", "\n".join(shown))
    assert "\nAttacked: the door of alpha, from the controller\n" in told
    assert re.search(r"\na gateway's +in\n", told), told
    assert "\n✓ doors beyond their routes: 73\n" in told
    lines = [f"Attacked: the door of alpha, from {name}: 161 attacks in 1 s, no hole" for name in ("alpha", "beta")]
    assert "\n".join(lines) in told
    assert "PRIVATE KEY" not in output
    assert "changed=0" in output


def test_the_role_gives_nothing_to_other_hosts_where_the_controller_found_a_hole(
    server: Standin, tmp_path: Path
) -> None:
    with attacked(tmp_path / "door", server.address, cuts=[ANYBODY]) as one:
        code, output = verified(tmp_path, one)
    assert code != 0
    told = " ".join(output.replace("\\n", " ").split())
    assert f"The wall has a hole ({STRANGERS}): {one.door.address}: status, with a certificate of no gateway." in told
    assert "Attacked: the door of alpha, from the controller." in told
    assert "from beta" not in output
    assert "PRIVATE KEY" not in output
