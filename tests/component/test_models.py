# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that keep the models of a server, against the stand-in and a registry that may break, stall and lie."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import progress
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.client import Client, read_url
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.keeper import Keeper, Result, diff
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.made import Made
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import read_models
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.pull import Host

from tests.component.contract.standins import Registry, Standin, registry, serving, standin, testmodels, until

ROOT = Path(__file__).resolve().parents[2]


class Told(progress.Notes):
    """Notes that a test reads."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []
        self.progress: list[str] = []

    def event(self, text: str) -> None:
        self.events.append(text)

    def now(self, text: str) -> None:
        self.progress.append(text)


class Bench:
    """A server with a registry, and what a task does to its models."""

    def __init__(self, server: Standin, source: Registry, folder: Path) -> None:
        self.server = server
        self.source = source
        self.folder = folder
        self.notes = Told()
        self.client = Client(read_url(f"http://{server.address}"), timeout=20)

    def keep(self, *models: Any, purge: bool = False, check: bool = False, **host: Any) -> list[Result]:
        wanted, problems = read_models(list(models), "models")
        assert problems == []
        retries = host.pop("retries", 5)
        made = Made(str(self.folder / "made.json"))
        return Keeper(self.client, Host(notes=self.notes, **host), check, retries, made=made).keep(wanted, purge)

    def one(self, model: Any, **options: Any) -> Result:
        return self.keep(model, **options)[-1]

    def installed(self) -> dict[str, str]:
        return {model["name"]: model["digest"] for model in self.client.tags()}

    def requests(self, path: str) -> int:
        """How many there were; each is written down when it has ended."""
        mark = f"/api/version?{time.monotonic_ns()}"
        connection = http.client.HTTPConnection(self.server.address)
        connection.request("GET", mark)
        connection.getresponse().read()
        connection.close()
        log = Path(self.server.environment["STANDIN_REQUEST_LOG"])
        assert until(lambda: mark in log.read_text())
        return sum(json.loads(line)["target"] == path for line in log.read_text().splitlines())

    def republish(self, name: str = "tiny") -> None:
        """Let the registry have another model under this name."""
        package = self.source.packages[name]
        manifest = json.loads(package.manifest)
        layer = next(one for one in manifest["layers"] if one["mediaType"].endswith("system"))
        data = b"You are another tiny, number %d." % len(package.blobs)
        layer.update(digest=testmodels.digest_of(data), size=len(data))
        blobs = {**package.blobs, layer["digest"]: data}
        self.source.packages[name] = testmodels.Package(json.dumps(manifest, separators=(",", ":")).encode(), blobs)

    def digest(self, name: str = "tiny") -> str:
        return str(testmodels.digest_of(self.source.packages[name].manifest)).partition(":")[2]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with registry() as source:
        log = str(tmp_path / "requests.jsonl")
        address = f"http://{source.address}"
        with standin(tmp_path / "models", STANDIN_REGISTRY=address, STANDIN_REQUEST_LOG=log) as server:
            yield Bench(server, source, tmp_path)
        source.stall_after = None


# Downloads


def test_a_download_that_breaks_twice_ends_well_and_fetches_nothing_twice(bench: Bench) -> None:
    # The server itself tries each one six times.
    bench.source.cuts = [100_000, *[0] * 5, 200_000, *[0] * 5]
    bench.source.rate = 500_000
    result = bench.one("tiny", sleep=lambda _seconds: None)
    assert (result.error, result.change) == ("", "added")
    words = r"tiny:latest: the download broke off at (\d+) % of 521 kB: .* It goes on in 1 s \(attempt 1 of 5\)\."
    broken = [re.fullmatch(words, event) for event in bench.notes.events[:2]]
    reached = [int(one.group(1)) for one in broken if one]
    # Of the last bytes before each break nobody tells.
    assert [10 < reached[0] < 20, 40 < reached[1] < 58] == [True, True]
    assert bench.notes.events[2].startswith("tiny:latest: downloaded")
    assert set(bench.source.ranges) == {"bytes=100000-", "bytes=300000-"}


def test_a_download_that_never_comes_further_is_given_up(bench: Bench) -> None:
    bench.source.cuts = [0] * 100
    result = bench.one("tiny", sleep=lambda _seconds: None, retries=1)
    assert "given up after 2 attempts in a row" in result.error
    assert bench.installed() == {}


def test_a_stalled_download_is_given_up_and_says_so_though_the_server_goes_on_talking(bench: Bench) -> None:
    bench.source.stall_after = 300_000
    bench.client.timeout = 1
    started = time.monotonic()
    result = bench.one("tiny", retries=0)
    assert 0.9 < time.monotonic() - started < 10
    words = r"nothing arrived for 1 seconds; it had come to (50|57) % of 521 kB, which the next run goes on from"
    assert re.fullmatch(words, result.error)
    bench.source.stall_after = None
    bench.client.timeout = 20
    assert bench.one("tiny").change == "added"
    assert len(bench.source.ranges) == 1
    assert bench.source.ranges[0] in ("bytes=262144-", "bytes=300000-")


def test_a_slow_download_is_not_a_stalled_one(bench: Bench) -> None:
    bench.client.timeout = 1
    bench.source.rate = 250_000
    assert bench.one("tiny", retries=0).change == "added"
    assert [line for line in bench.notes.progress if re.fullmatch(r"tiny:latest: \d+ % of 521 kB", line)]


def test_a_model_that_does_not_exist_is_asked_for_once(bench: Bench) -> None:
    result = bench.one("nope")
    assert result.error == "there is no such model at its registry (pull model manifest: file does not exist)"
    assert bench.requests("/api/pull") == 1


def test_one_wrong_name_does_not_hide_the_others(bench: Bench) -> None:
    results = bench.keep("tiny", "nope", "tiny-loop")
    assert [(one.name, one.change, bool(one.error)) for one in results] == [
        ("tiny:latest", "added", False),
        ("nope:latest", "unchanged", True),
        ("tiny-loop:latest", "added", False),
    ]


def test_a_server_that_is_gone_is_not_asked_for_each_model_anew(bench: Bench) -> None:
    wanted, _problems = read_models(["tiny", "tiny-loop"], "models")
    keeper = Keeper(bench.client, Host(notes=bench.notes, sleep=lambda _seconds: None), False)
    bench.server.stop()
    first, second = keeper.keep(wanted)
    assert "Connection refused" in first.error
    assert second.error.startswith("not tried: ")


def test_nothing_is_downloaded_that_does_not_fit(bench: Bench) -> None:
    result = bench.one("tiny", free=lambda: 256 << 20)
    assert re.match(r"521 kB are still to be downloaded, and 268 MB are free", result.error)
    assert bench.installed() == {}
    assert bench.one("tiny", free=lambda: 257 << 20).change == "added"


# Pins, and the newest


def test_another_digest_than_the_pinned_one_is_shown_and_repaired(bench: Bench) -> None:
    bench.one("tiny")
    old = bench.digest()
    bench.republish()
    model = {"name": "tiny", "digest": bench.digest()[:12]}
    looked = bench.keep(model, check=True)
    shown = diff(looked)
    assert shown["before"] == f"tiny:latest\n  digest: {old[:12]}\n"
    assert shown["after"] == f"tiny:latest\n  digest: {bench.digest()[:12]}\n"
    assert bench.installed() == {"tiny:latest": old}
    assert bench.one(model).change == "updated"
    assert bench.installed() == {"tiny:latest": bench.digest()}
    assert bench.one(model).change == "unchanged"


def test_without_a_pin_the_installed_model_stays(bench: Bench) -> None:
    bench.one("tiny")
    bench.republish()
    assert bench.one("tiny").change == "unchanged"
    assert bench.requests("/api/pull") == 1


def test_a_pin_that_the_registry_does_not_have_is_an_error_that_names_both(bench: Bench) -> None:
    result = bench.one({"name": "tiny", "digest": "0" * 64})
    assert result.error == (
        f"digest: its registry has {bench.digest()[:12]} under this name, and not 000000000000, which is pinned. "
        "That was downloaded; pin it, or name the tag that you mean"
    )


def test_latest_downloads_only_what_is_another_model(bench: Bench) -> None:
    latest = {"name": f"{bench.source.address}/library/tiny", "state": "latest", "insecure": True}
    assert bench.one(latest).change == "added"
    assert bench.one(latest).change == "unchanged"
    assert bench.requests("/api/pull") == 1
    bench.republish()
    assert bench.one(latest, check=True).change == "updated"
    assert bench.requests("/api/pull") == 1
    assert bench.one(latest).change == "updated"
    assert bench.digest() in bench.installed().values()


def test_what_only_a_registry_knows_that_cannot_be_asked_is_said_to_be_unknown(bench: Bench) -> None:
    bench.keep("tiny", {"name": "127.0.0.1:1/library/tiny", "source": "tiny"})
    latest = {"name": "127.0.0.1:1/library/tiny", "state": "latest"}
    assert bench.one(latest, check=True).change == "unknown"


# Models that are made


def test_a_model_is_made_once_and_again_when_its_recipe_or_its_base_is_another(bench: Bench) -> None:
    recipe: dict[str, Any] = {
        "name": "clerk",
        "from": "tiny",
        "system": "You are a clerk.",
        "parameters": {"num_ctx": "1024", "temperature": 0.5, "stop": ["A:", "B:"]},
        "license": ["ours"],
        "messages": [{"role": "user", "content": "hello"}],
    }
    # The base comes by itself.
    assert bench.one(recipe).change == "added"
    assert set(bench.installed()) == {"tiny:latest", "clerk:latest"}
    made = bench.requests("/api/create")
    assert bench.one(recipe).change == "unchanged"
    assert bench.requests("/api/create") == made
    recipe["system"] = "You are another clerk."
    changed = bench.one(recipe)
    assert changed.change == "updated"
    assert "system: You are a clerk." in changed.before
    assert "system: You are another clerk." in changed.after
    del recipe["system"]
    assert "system: You are tiny." in bench.one(recipe).after
    bench.republish()
    both = bench.keep({"name": "tiny", "digest": bench.digest()}, recipe)
    assert [one.change for one in both] == ["updated", "updated"]
    assert [one.change for one in bench.keep("tiny", recipe)] == ["unchanged", "unchanged"]


def test_a_model_is_made_once_of_files_that_are_sent_once(bench: Bench) -> None:
    """The server writes them anew: its layer has another digest."""
    weights = bench.folder / "own.gguf"
    weights.write_bytes(testmodels.weights("tiny-loop", encoded=False))
    own = {"name": "own", "files": [str(weights)], "system": "You are own."}
    assert bench.one(own).change == "added"
    assert bench.one(own).change == "unchanged"
    assert bench.requests("/api/create") == 1
    weights.write_bytes(testmodels.weights("tiny", encoded=False))
    assert bench.one(own, check=True).change == "updated"
    assert bench.one(own).change == "updated"
    weights.write_bytes(b"not a model")
    assert bench.one(own).error == f"files: {weights} is no GGUF file; convert it to one first"
    weights.unlink()
    assert bench.one(own).error == f"files: {weights} cannot be read: No such file or directory"


def test_a_copy_follows_its_source(bench: Bench) -> None:
    copy = {"name": "gpt-4", "source": "tiny"}
    # In the wrong order, and the source comes by itself.
    assert [one.change for one in bench.keep(copy, "tiny-loop")] == ["added", "added"]
    assert bench.one(copy).change == "unchanged"
    bench.republish()
    results = bench.keep(copy, {"name": "tiny", "digest": bench.digest()})
    assert {one.name: one.change for one in results} == {"tiny:latest": "updated", "gpt-4:latest": "updated"}
    assert bench.installed()["gpt-4:latest"] == bench.digest()


# The whole list


def test_purge_removes_the_rest_but_for_bases(bench: Bench) -> None:
    bench.keep("tiny", "tiny-loop", {"name": "clerk", "from": "tiny", "system": "x"})
    results = bench.keep({"name": "clerk", "from": "tiny", "system": "x"}, purge=True)
    assert {one.name: one.change for one in results} == {"clerk:latest": "unchanged", "tiny-loop:latest": "removed"}
    assert set(bench.installed()) == {"tiny:latest", "clerk:latest"}


def test_nothing_is_purged_when_a_model_failed(bench: Bench) -> None:
    bench.one("tiny")
    assert bench.keep("nope", purge=True)[0].error
    assert set(bench.installed()) == {"tiny:latest"}


def test_absent_removes_under_any_spelling(bench: Bench) -> None:
    bench.one("tiny")
    gone = {"name": "registry.ollama.ai/library/TINY:latest", "state": "absent"}
    assert bench.one(gone).change == "removed"
    assert bench.one(gone).change == "unchanged"
    assert bench.installed() == {}


def test_check_mode_tells_everything_and_changes_nothing(bench: Bench) -> None:
    bench.keep("tiny", "tiny-loop")
    before = bench.installed()
    models = [
        "new",
        {"name": "clerk", "from": "tiny", "system": "x", "keep_alive": -1},
        {"name": "a", "source": "tiny"},
    ]
    results = bench.keep(*models, "tiny", purge=True, check=True)
    assert {one.name: one.change for one in results} == {
        "new:latest": "added",
        "clerk:latest": "added",
        "a:latest": "added",
        "tiny:latest": "unchanged",
        "tiny-loop:latest": "removed",
    }
    assert [one.name for one in results if one.loaded] == ["clerk:latest"]
    assert bench.installed() == before
    assert bench.client.ps() == []


def test_a_model_is_loaded_once(bench: Bench) -> None:
    assert bench.one({"name": "tiny", "keep_alive": "10m"}).loaded
    again = bench.one({"name": "tiny", "keep_alive": "10m"})
    assert not again.changed
    assert bench.one({"name": "tiny", "keep_alive": "-1"}).loaded
    assert not bench.one({"name": "tiny", "keep_alive": -1}).changed
    assert bench.one({"name": "tiny", "keep_alive": 0}).loaded
    assert bench.client.ps() == []
    assert not bench.one({"name": "tiny", "keep_alive": 0}).changed


def test_fifty_models_that_are_as_they_should_be_take_one_request(bench: Bench) -> None:
    names = [f"m{number}" for number in range(50)]
    bench.keep(*[{"name": name, "source": "tiny"} for name in names])
    before = bench.requests("/api/tags")
    assert not any(one.changed for one in bench.keep(*names))
    assert bench.requests("/api/tags") == before + 1
    assert bench.requests("/api/show") == 0


# As users run it


class Run:
    """A playbook of one task on this machine; its output goes into a file, to be read while it runs."""

    def __init__(self, folder: Path, module: str, options: dict[str, Any], *arguments: str) -> None:
        folder.mkdir()
        task = {f"gatehouse.ollama.{module}": options, "register": "result"}
        keep = {"ansible.builtin.copy": {"content": "{{ result | to_json }}", "dest": str(folder / "result.json")}}
        kept = {**keep, "when": True, "check_mode": False, "diff": False}
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": [{"block": [task], "always": [kept]}],
        }
        (folder / "play.yml").write_text(yaml.safe_dump([play]))
        self.folder = folder
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".config" / "collections"),
            "ANSIBLE_REMOTE_TMP": str(folder / "remote"),
            "ANSIBLE_ASYNC_DIR": str(folder / "async"),
            "ANSIBLE_NOCOLOR": "1",
        }
        command = [
            sys.executable,
            "-m",
            "ansible",
            "playbook",
            "-i",
            "localhost,",
            str(folder / "play.yml"),
            *arguments,
        ]
        with open(folder / "output", "w", encoding="utf-8") as file:
            self.process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT)

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()

    def end(self) -> dict[str, Any]:
        """What the module returned."""
        self.process.wait(120)
        assert (self.folder / "result.json").exists(), self.output
        return dict(json.loads((self.folder / "result.json").read_text()))

    def worker(self) -> int:
        """The process of the module that goes on by itself, 0 if there is none."""
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = entry.read_bytes().split(b"\0")
                if str(self.folder).encode() in b" ".join(words) and words[1].endswith(b"AnsiballZ_models.py"):
                    return int(entry.parent.name)
        return 0


def options(bench: Bench, *models: Any, **more: Any) -> dict[str, Any]:
    return {"url": f"http://{bench.server.address}", "models": list(models), **more}


def test_a_person_sees_how_far_a_download_is(bench: Bench) -> None:
    bench.source.rate = 100_000
    run = Run(bench.folder / "run", "models", options(bench, "tiny"))
    result = run.end()
    assert (result["added"], result["changed"]) == (["tiny:latest"], True)
    shown = [int(percent) for percent in re.findall(r"localhost: tiny:latest: (\d+) % of 521 kB", run.output)]
    assert len(shown) >= 2
    assert shown == sorted(shown)
    assert re.search(r"localhost: tiny:latest: downloaded, 521 kB in \d s", run.output)
    assert list((bench.folder / "run" / "async").glob("*")) == []


def test_a_model_is_made_of_files_also_where_that_cannot_be_remembered_which_is_said(bench: Bench) -> None:
    weights = bench.folder / "own.gguf"
    weights.write_bytes(testmodels.weights("tiny-loop", encoded=False))
    own = {"name": "own", "files": [str(weights)]}
    run = Run(bench.folder / "run", "models", options(bench, own, made="/proc/made.json"))
    assert run.end()["added"] == ["own:latest"]
    reason = "It cannot be remembered of which files models were made, so the next run makes them again: "
    assert reason + "/proc/made.json cannot be written: No such file or directory" in " ".join(run.output.split())
    # A server that is not the first to use a note.
    bench.one(own)
    note = bench.folder / "made.json"
    entries = json.loads(note.read_text())
    note.write_text(json.dumps([*entries, {**entries[0], "layers": ["0" * 64]}]))
    again = Run(bench.folder / "again", "models", options(bench, own, made=str(note)))
    assert again.end()["unchanged"] == ["own:latest"]
    assert "WARNING" not in again.output


def test_a_killed_process_is_noticed_and_the_next_run_goes_on_from_there(bench: Bench) -> None:
    bench.source.rate = 20_000
    run = Run(bench.folder / "run", "models", options(bench, "tiny"))
    assert until(lambda: "% of 521 kB" in run.output, 60), run.output
    os.kill(run.worker(), signal.SIGKILL)
    started = time.monotonic()
    result = run.end()
    assert time.monotonic() - started < 60
    assert result["failed"]
    assert "killed" in result["msg"], result
    bench.source.rate = float("inf")
    again = Run(bench.folder / "again", "models", options(bench, "tiny"))
    assert again.end()["added"] == ["tiny:latest"]
    assert bench.source.ranges


def test_what_is_wrong_is_told_by_its_place_before_anything_is_changed(bench: Bench) -> None:
    run = Run(bench.folder / "run", "models", options(bench, "tiny", {"name": "a", "digest": "x"}, {"name": "a b"}))
    message = run.end()["msg"]
    assert "models[1].digest: it must be the first 12 digits" in message
    assert "models[2].name: a b cannot be the name of a model" in message
    assert bench.installed() == {}


class Gate(http.server.ThreadingHTTPServer):
    """Lets in who has the key, to a server behind it; or sends everybody elsewhere."""

    daemon_threads = True
    key = "ghk_0123456789abcdefghijklmnopqrstuvwxyz"

    def __init__(self, behind: str, elsewhere: str = "") -> None:
        super().__init__(("127.0.0.1", 0), GateHandler)
        self.behind = behind
        self.elsewhere = elsewhere
        self.headers: list[dict[str, str]] = []


class GateHandler(http.server.BaseHTTPRequestHandler):
    server: Gate

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.headers.append(dict(self.headers))
        if self.server.elsewhere:
            self.send_response(307)
            self.send_header("Location", f"http://{self.server.elsewhere}{self.path}")
            self.end_headers()
            return
        if self.headers.get("Authorization") != f"Bearer {self.server.key}":
            self._answer(401, b'{"error":"no valid credential"}')
            return
        connection = http.client.HTTPConnection(self.server.behind)
        connection.request(self.command, self.path, body)
        answer = connection.getresponse()
        self._answer(answer.status, answer.read())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = do_HEAD = _pass


@contextlib.contextmanager
def gate(behind: str, elsewhere: str = "") -> Iterator[Gate]:
    server = Gate(behind, elsewhere)
    with serving(server):
        yield server


def test_a_key_opens_a_gateway_and_is_shown_nowhere(bench: Bench) -> None:
    with gate(bench.server.address) as gateway:
        url = f"http://127.0.0.1:{gateway.server_address[1]}"
        refused = Run(bench.folder / "refused", "model", {"url": url, "name": "tiny"}).end()
        assert "refuses: no valid credential (api_key gives the key" in refused["msg"]
        run = Run(bench.folder / "run", "model", {"url": url, "api_key": gateway.key, "name": "tiny"}, "-vvv")
        result = run.end()
    assert (result["change"], result["name"]) == ("added", "tiny:latest")
    assert gateway.key not in run.output
    assert gateway.key not in json.dumps(result)


def test_a_key_is_not_sent_to_where_a_gateway_redirects(bench: Bench) -> None:
    with contextlib.ExitStack() as opened:
        other = opened.enter_context(gate(bench.server.address))
        gateway = opened.enter_context(gate("", f"127.0.0.1:{other.server_address[1]}"))
        url = f"http://127.0.0.1:{gateway.server_address[1]}"
        message = Run(bench.folder / "run", "model", {"url": url, "api_key": Gate.key, "name": "tiny"}).end()["msg"]
        assert "sends us on to" in message
        assert "which is not followed" in message
        assert gateway.headers
        assert other.headers == []
