# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.modules import apt_source as module

from tests.unit.plugins.modules.ended import answer

KEY = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
REPOSITORY = {"name": "tools", "uri": "http://mirror/deb/$(ARCH)", "suite": "/", "key_url": "https://mirror/key"}
GIVEN = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\ngiven\n"


class Answer(io.BytesIO):
    """What a server sent in the end, from this address."""

    def __init__(self, content: bytes, url: str) -> None:
        super().__init__(content)
        self.url = url

    def geturl(self) -> str:
        return self.url


class Host:
    """A folder that stands for the host, and a server that answers once the address is right."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "keyrings/tools.asc"
        self.source = folder / "sources/tools.sources"
        self.answer = KEY
        self.authorities = folder / "authorities"
        self.redirect = ""
        self.fetched: list[str] = []

    def fetch(self, _module: Any, url: str, **_options: Any) -> tuple[Any, dict[str, Any]]:
        self.fetched.append(url)
        if not url.startswith(("http://mirror/", "https://mirror/")):
            return None, {"status": 404, "msg": "HTTP Error 404: Not Found"}
        return Answer(self.answer, self.redirect or url), {"status": 200, "msg": "OK"}

    def run(self, **options: Any) -> dict[str, Any]:
        arguments = {**REPOSITORY, "variable": "role_url", "_ansible_remote_tmp": str(self.folder), **options}
        return answer(module, arguments)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    made = Host(tmp_path)
    monkeypatch.setattr(module, "fetch_url", made.fetch)
    monkeypatch.setattr(module, "KEYRINGS", str(tmp_path / "keyrings"))
    monkeypatch.setattr(module, "SOURCES", str(tmp_path / "sources"))
    monkeypatch.setattr(module, "SOURCES_LIST", str(tmp_path / "sources.list"))
    monkeypatch.setattr(module, "AUTHORITIES", str(made.authorities))
    return made


def test_a_repository_is_trusted_by_its_own_key_alone(host: Host) -> None:
    assert host.run()["changed"]
    assert host.key.read_bytes() == KEY
    assert host.source.read_text() == (
        f"Types: deb\nURIs: http://mirror/deb/$(ARCH)\nSuites: /\nSigned-By: {host.key}\n"
    )
    assert [oct(path.stat().st_mode & 0o777) for path in (host.key, host.source)] == ["0o644", "0o644"]


def test_components_are_named_where_there_are_some(host: Host) -> None:
    host.run(suite="trixie", components=["stable", "test"])
    assert "Suites: trixie\nComponents: stable test\n" in host.source.read_text()


def test_a_second_run_changes_nothing_and_needs_no_network(host: Host) -> None:
    host.run()
    host.fetched.clear()
    assert not host.run()["changed"]
    assert host.fetched == []


def test_a_missing_key_is_fetched_again(host: Host) -> None:
    host.run()
    host.key.unlink()
    assert host.run()["changed"]
    assert host.key.read_bytes() == KEY


def test_check_mode_writes_nothing_and_shows_what_would_be_written(host: Host) -> None:
    result = host.run(_ansible_check_mode=True)
    assert result["changed"]
    assert "URIs: http://mirror/deb/$(ARCH)" in result["diff"]["after"]
    assert not host.key.exists()
    assert not host.source.exists()


def test_check_mode_finds_an_address_that_leads_nowhere(host: Host) -> None:
    host.authorities.touch()
    said = host.run(key_url="https://nowhere/key", _ansible_check_mode=True)
    assert "https://nowhere/key cannot be fetched" in said["msg"]


def test_check_mode_asks_no_https_server_without_certificates_to_judge_it_by(host: Host) -> None:
    assert host.run(key_url="https://mirror/key", _ansible_check_mode=True)["changed"]
    assert host.fetched == []


def test_an_address_that_leads_nowhere_is_refused_by_its_variable_and_nothing_is_written(host: Host) -> None:
    said = host.run(key_url="https://nowhere/key")
    assert said["msg"].startswith("role_url: https://nowhere/key cannot be fetched (HTTP Error 404: Not Found).")
    assert not host.source.exists()


def test_what_is_no_key_is_refused(host: Host) -> None:
    host.answer = b"<html>Log in first</html>"
    assert host.run()["msg"].startswith("role_url: https://mirror/key is no key in ASCII armour.")
    assert not host.key.exists()


def test_a_key_that_anybody_on_the_way_could_replace_is_refused_and_not_asked_for(host: Host) -> None:
    for mode in (False, True):
        said = host.run(key_url="http://mirror/key", _ansible_check_mode=mode)
        assert said["msg"].startswith("role_url: http://mirror/key comes over plain HTTP")
    assert host.fetched == []
    assert not host.source.exists()


def test_a_key_is_refused_to_which_https_leads_by_plain_http(host: Host) -> None:
    host.redirect = "http://elsewhere/key"
    assert "leads to another address" in host.run()["msg"]
    assert not host.key.exists()


def test_over_plain_http_the_key_that_is_given_counts_and_no_other(host: Host) -> None:
    assert host.run(key_url="http://mirror/key", key=GIVEN)["changed"]
    assert host.key.read_text() == GIVEN
    host.fetched.clear()
    assert not host.run(key_url="http://mirror/key", key=GIVEN)["changed"]
    assert host.fetched == []


def test_another_key_that_is_given_replaces_the_one_that_is_there(host: Host) -> None:
    host.run()
    assert host.run(key=GIVEN)["changed"]
    assert host.key.read_text() == GIVEN


def test_a_repository_that_is_not_there_is_found_also_with_a_key(host: Host) -> None:
    assert "cannot be fetched" in host.run(key_url="http://nowhere/key", key=GIVEN)["msg"]
    assert not host.source.exists()


MIRROR = "http://mirror/deb/amd64"
OTHERS = {
    "another.list": f"# tools\ndeb [arch=amd64 signed-by=/usr/share/keyrings/tools.gpg] {MIRROR} /\n",
    "without_key.list": f"deb {MIRROR}/ / # tools\n",
    "as_the_vendor_says.list": "deb [signed-by=/usr/share/keyrings/tools.gpg] http://mirror/deb/$(ARCH) /\n",
    "another.sources": f"Types: deb deb-src\nURIs: {MIRROR}\nSuites: /\nSigned-By:\n -----BEGIN\n .\n -----END\n",
    "with_spaces.sources": f"Größe: x\nTypes : deb\nURIs : {MIRROR}\nSuites: /\n",
    # The name that this module would take, with a line that it would not write.
    "tools.sources": f"Types: deb\nURIs: {MIRROR}\nSuites: /\nArchitectures: amd64\nSigned-By: /x.asc\n",
}


def others(host: Host, name: str, text: str) -> Path:
    path = host.folder / "sources" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def written(host: Host) -> list[str]:
    return sorted(path.name for folder in ("keyrings", "sources") for path in (host.folder / folder).glob("*"))


@pytest.mark.parametrize(("name", "text"), OTHERS.items(), ids=OTHERS.keys())
def test_a_repository_in_the_file_of_somebody_else_is_used_and_nothing_is_written(
    host: Host, name: str, text: str
) -> None:
    path = others(host, name, text)
    result = host.run()
    assert (result["changed"], result["source"]) == (False, str(path))
    assert path.read_text() == text
    assert written(host) == [name]
    assert host.fetched == []


def test_one_in_the_list_of_apt_itself_is_used_too(host: Host) -> None:
    (host.folder / "sources.list").write_text(f"deb {MIRROR} /\n")
    assert not host.run()["changed"]
    assert written(host) == []


@pytest.mark.parametrize("check_mode", [False, True])
def test_one_that_is_in_the_way_and_will_not_do_is_refused_by_its_file(host: Host, check_mode: bool) -> None:
    path = others(host, "another.list", "deb [signed-by=/x.gpg] http://mirror/deb trixie test\n")
    wanted = {"uri": "http://mirror/deb", "suite": "trixie", "components": ["stable"]}
    said = host.run(**wanted, _ansible_check_mode=check_mode)["msg"]
    assert said.startswith("role_url: ")
    assert str(path) in said
    assert "stable" in said
    assert written(host) == ["another.list"]


@pytest.mark.parametrize(
    "text",
    [
        "deb http://elsewhere/deb/amd64 /\n",
        "deb http://mirror/deb/amd64 trixie main\n",
        f"#deb {MIRROR} /\n",
        "not a line of apt's\n",
    ],
)
def test_other_repositories_are_in_nobodys_way(host: Host, text: str) -> None:
    others(host, "another.list", text)
    assert host.run()["changed"]
    assert host.source.exists()


def test_one_that_is_switched_off_is_in_nobodys_way(host: Host) -> None:
    others(host, "another.sources", f"Types: deb\nEnabled: no\nURIs: {MIRROR}\nSuites: /\n")
    assert host.run()["changed"]


def test_our_own_goes_where_somebody_else_added_another_that_breaks_apt_beside_it(host: Host) -> None:
    host.run()
    path = others(host, "another.list", OTHERS["another.list"])
    assert host.run(_ansible_check_mode=True)["changed"]
    assert host.source.exists()
    assert host.run()["changed"]
    assert not host.source.exists()
    result = host.run()
    assert (result["changed"], result["source"]) == (False, str(path))


def test_nothing_is_written_where_the_packages_are_there_already(host: Host) -> None:
    for name, text in [("none", ""), ("tools.sources", "Types: deb\nURIs: http://x\nSuites: /\n# mine\n")]:
        others(host, name, text)
        assert not host.run(needed=False)["changed"]
        assert host.fetched == []
    assert written(host) == ["none", "tools.sources"]


def test_our_own_is_kept_up_to_date_where_the_packages_are_there_already(host: Host) -> None:
    host.run()
    assert not host.run(needed=False)["changed"]
    assert host.run(needed=False, uri="http://mirror/other")["changed"]
    assert "http://mirror/other" in host.source.read_text()
