# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The access log: which line is the last use of a credential, and what becomes of a command that does not end well."""

from __future__ import annotations

import datetime
import json
import sys
import tracemalloc

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials import access_log
from ansible_collections.gatehouse.ollama.plugins.module_utils._credentials.access_log import LogError, Uses

START = datetime.datetime(2026, 11, 25, 13, 0, tzinfo=datetime.timezone.utc)


def at(seconds: int) -> datetime.datetime:
    return START + datetime.timedelta(seconds=seconds)


def line(time: datetime.datetime | str, client: str = "", key: str = "", path: str = "/api/tags") -> bytes:
    text = time if isinstance(time, str) else time.isoformat()
    entry = dict(time=text, request_id="1", address="192.0.2.1", client=client, key=key, path=path, status=200)
    return json.dumps(entry).encode() + b"\n"


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


class TestRead:
    def test_the_last_use_is_the_latest_line_with_the_client_and_key(self) -> None:
        lines = [line(at(1), "alice", "laptop"), line(at(5), "alice", "laptop"), line(at(3), "alice", "laptop")]
        lines += [line(at(7), "alice", "ci"), line(at(8), "bob", "laptop"), line(at(9), "alice")]
        assert access_log.read(lines, {}).last == {
            ("alice", "laptop"): at(5),
            ("alice", "ci"): at(7),
            ("bob", "laptop"): at(8),
            ("alice", ""): at(9),
        }

    def test_a_refused_request_is_a_use_of_nothing_but_tells_when_the_log_begins(self) -> None:
        assert access_log.read([line(at(2)), line(at(3))], {}) == Uses(at(2), {})

    def test_a_log_without_requests_begins_nowhere(self) -> None:
        assert access_log.read([], {}) == Uses(None, {})

    def test_times_of_other_zones_are_compared_as_moments(self) -> None:
        lines = [line("2026-11-25T15:00:05+02:00", "alice"), line("2026-11-25T13:00:04+00:00", "alice")]
        assert access_log.read(lines, {}).last == {("alice", ""): at(5)}

    def test_a_use_from_before_a_key_was_created_is_one_of_the_key_before_it(self) -> None:
        lines = [line(at(seconds), "alice", "laptop") for seconds in (1, 9, 10, 12)]
        last = access_log.read(lines, {("alice", "laptop"): at(10)}).last
        assert last == {("alice", "laptop~old"): at(9), ("alice", "laptop"): at(12)}

    @pytest.mark.parametrize(
        "other",
        [
            b"/docker-entrypoint.sh: ready\n",
            b"\n",
            b"{\n",
            b"{}\n",
            b"[1]\n",
            b'{"time":"2026-11-25T13:00:00+00:00","client":"alice"}\n',
            b'{"time":1,"client":"alice","key":""}\n',
            b'{"time":"2026-11-25T13:00:00+00:00","client":["alice"],"key":""}\n',
            b'{"a":' + b"[" * 60000,
            line("yesterday", "alice"),
            line("2026-11-25T13:00:00", "alice"),
            line("0001-01-01T00:00:00+10:00", "alice"),
        ],
    )
    def test_what_is_no_line_of_the_access_log_is_passed_over(self, other: bytes) -> None:
        assert access_log.read([other, line(at(1), "bob")], {}) == Uses(at(1), {("bob", ""): at(1)})

    def test_a_path_that_is_not_utf_8_does_not_hide_a_use(self) -> None:
        spoiled = line(at(1), "alice", path="/api/@").replace(b"@", b"\xff")
        assert access_log.read([spoiled], {}).last == {("alice", ""): at(1)}


class TestCommand:
    def test_what_a_command_prints_comes_line_by_line(self) -> None:
        program = "print('one'); print('two', end='')"
        assert list(access_log.lines_of(python(program), 30)) == [b"one", b"two"]

    def test_what_it_prints_as_errors_is_no_part_of_the_log(self) -> None:
        program = "import sys; print('an error', file=sys.stderr); print('one')"
        assert list(access_log.lines_of(python(program), 30)) == [b"one"]

    def test_a_command_that_fails_is_an_error_that_quotes_nothing_of_what_it_printed(self) -> None:
        program = "import sys; print('secret'); sys.exit('secret')"
        with pytest.raises(LogError) as caught:
            list(access_log.lines_of(python(program), 30))
        assert str(caught.value) == "ended with 1"

    def test_a_command_that_is_not_there_is_an_error(self) -> None:
        with pytest.raises(LogError, match=r"^cannot be run: No such file or directory$"):
            list(access_log.lines_of(["/no/such/program"], 30))

    @pytest.mark.parametrize(
        "program",
        [
            "import time; print('one', flush=True); time.sleep(60)",
            # A child that holds the pipe open.
            "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])",
            "import os, time; os.close(1); time.sleep(60)",
        ],
    )
    def test_a_command_that_takes_too_long_is_ended_with_its_children(self, program: str) -> None:
        with pytest.raises(LogError, match=r"^took longer than 0\.5 seconds$"):
            list(access_log.lines_of(python(program), 0.5))

    def test_200_000_lines_are_read_without_being_kept(self) -> None:
        program = (
            "for n in range(200000):\n"
            '    print(\'{"time":"2026-11-25T%02d:%02d:00+00:00","client":"client-%d","key":"laptop","path":"/%s"}\''
            " % (n // 10000, n % 60, n % 1000, 'x' * 100))"
        )
        tracemalloc.start()
        uses = access_log.read(access_log.lines_of(python(program), 300), {})
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(uses.last) == 1000
        assert {moment.hour for moment in uses.last.values()} == {19}
        assert peak < 200000 * 10

    def test_a_line_without_end_is_not_kept_either(self) -> None:
        program = "for n in range(1000): print('x' * 100000, end='')"
        tracemalloc.start()
        uses = access_log.read(access_log.lines_of(python(program), 300), {})
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert uses == Uses()
        assert peak < 10_000_000
