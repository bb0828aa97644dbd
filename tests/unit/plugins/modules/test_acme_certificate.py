# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module with a program in place of certbot that notes how it was called and makes a certificate, or refuses."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gatehouse.ollama.plugins.modules import acme_certificate as module

from tests.unit.plugins.modules.ended import Ended

DIRECTORY = "https://acme.example.com/directory"
SECRET = "c2VjcmV0LW9mLWFuLWFjY291bnQ"
CERTBOT = """\
#!/bin/sh
set -eu
cd "$(dirname "$0")"
printf '%s\\n' "$@" "ca=${REQUESTS_CA_BUNDLE-}" >called
for word; do
    case "$word" in
    --config=*) cat "${word#*=}" >binding ;;
    esac
done
[ ! -e refuse ] || { echo "Unable to register an account: external account binding" >&2; exit 1; }
mkdir -p config/live/gatehouse config/renewal
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=x \\
    -addext subjectAltName=DNS:llm.example.com -keyout config/live/gatehouse/privkey.pem \\
    -out config/live/gatehouse/cert.pem 2>/dev/null
cp config/live/gatehouse/cert.pem config/live/gatehouse/fullchain.pem
echo "server = https://acme.example.com/directory" >config/renewal/gatehouse.conf
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class Bench:
    """A folder in which the module has all that it needs."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        live = folder / "config/live/gatehouse"
        self.options = {
            "program": str(folder / "certbot"),
            "path": str(folder),
            "directory": DIRECTORY,
            "names": ["llm.example.com"],
            "webroot": str(folder / "webroot"),
            "probe_url": url,
            "install_command": ["sh", "-c", f"cat {live}/privkey.pem {live}/fullchain.pem >{folder}/server.pem"],
            "installed_file": str(folder / "server.pem"),
        }

    def run(self, **options: Any) -> dict[str, Any]:
        arguments = {**self.options, "_ansible_remote_tmp": str(self.folder / "tmp"), **options}
        with patch_module_args(arguments), pytest.raises(Ended) as ended:
            module.main()
        return ended.value.result

    def called(self) -> list[str]:
        return (self.folder / "called").read_text().splitlines()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bench]:
    def end(self: basic.AnsibleModule, **result: Any) -> None:
        self.do_cleanup_files()
        raise Ended(result)

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", end)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda self, **result: end(self, failed=True, **result))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "webroot/.well-known/acme-challenge").mkdir(parents=True)
    program = tmp_path / "certbot"
    program.write_text(CERTBOT)
    program.chmod(0o755)
    serve = functools.partial(Quiet, directory=str(tmp_path / "webroot"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever).start()
        yield Bench(tmp_path, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_a_certificate_is_asked_for_and_installed_and_then_nothing_is_done(bench: Bench) -> None:
    assert bench.run() == {"changed": True, "due": True, "reason": "there is no certificate yet"}
    installed = (bench.folder / "server.pem").read_text()
    assert installed.index("PRIVATE KEY") < installed.index("BEGIN CERTIFICATE")
    wanted = [f"--server={DIRECTORY}", "--domain=llm.example.com", "--register-unsafely-without-email", "ca="]
    assert set(wanted) <= set(bench.called())
    (bench.folder / "called").unlink()
    assert bench.run() == {"changed": False, "due": False, "reason": ""}
    assert not (bench.folder / "called").exists()
    assert list((bench.folder / "webroot/.well-known/acme-challenge").iterdir()) == []


def test_what_is_there_but_not_installed_is_installed_and_nobody_asked(bench: Bench) -> None:
    bench.run()
    (bench.folder / "called").unlink()
    (bench.folder / "server.pem").write_text("another")
    assert bench.run(_ansible_check_mode=True)["changed"]
    assert (bench.folder / "server.pem").read_text() == "another"
    assert bench.run() == {"changed": True, "due": False, "reason": ""}
    assert "PRIVATE KEY" in (bench.folder / "server.pem").read_text()
    assert not (bench.folder / "called").exists()


def test_other_names_and_another_directory_are_asked_for(bench: Bench) -> None:
    bench.run()
    assert bench.run(names=["llm.example.com", "b.example.com"], _ansible_check_mode=True)["due"]
    assert bench.run(directory="https://other.example.com/dir", _ansible_check_mode=True)["due"]
    assert bench.run(names=["llm.example.com", "b.example.com"])["changed"]
    assert "--domain=b.example.com" in bench.called()


def test_check_mode_needs_nothing_and_leaves_nothing(bench: Bench) -> None:
    (bench.folder / "certbot").unlink()
    before = sorted(bench.folder.rglob("*"))
    assert bench.run(_ansible_check_mode=True, probe_url="http://127.0.0.1:1")["changed"]
    assert sorted(bench.folder.rglob("*")) == before


def test_the_key_of_an_account_binding_is_in_no_argument_and_its_file_goes(bench: Bench) -> None:
    bench.run(eab_key_id="kid", eab_hmac_key=SECRET, email="a@example.com", ca_file="/ca.pem")
    assert {"--email=a@example.com", "ca=/ca.pem"} <= set(bench.called())
    assert SECRET not in "\n".join(bench.called())
    assert (bench.folder / "binding").read_text() == f"eab-kid = kid\neab-hmac-key = {SECRET}\n"
    assert list((bench.folder / "tmp").rglob("*.ini")) == []


def test_a_refusal_leaves_what_is_installed(bench: Bench) -> None:
    bench.run()
    before = (bench.folder / "server.pem").read_bytes()
    (bench.folder / "refuse").touch()
    said = bench.run(directory="https://other.example.com/dir", eab_key_id="kid", eab_hmac_key=SECRET)
    assert said["failed"]
    assert "ollama_gateway_acme_eab_key_id" in said["msg"]
    assert "external account binding" in said["msg"]
    assert SECRET not in said["msg"]
    assert (bench.folder / "server.pem").read_bytes() == before


def test_nobody_is_asked_while_challenges_are_not_answered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.probe, "__defaults__", (0.5,))
    said = bench.run(probe_url="http://127.0.0.1:1")
    assert said["failed"]
    assert "ollama_gateway_http_port" in said["msg"]
    assert "refused" in said["msg"]
    assert not (bench.folder / "called").exists()
    assert list((bench.folder / "webroot/.well-known/acme-challenge").iterdir()) == []


@pytest.mark.parametrize("missing", ["certbot", "webroot/.well-known/acme-challenge"])
def test_what_is_missing_is_named(bench: Bench, missing: str) -> None:
    path = bench.folder / missing
    path.rmdir() if path.is_dir() else path.unlink()
    said = bench.run()
    assert said["failed"]
    assert missing in said["msg"]
