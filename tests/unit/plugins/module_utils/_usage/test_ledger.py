# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: what is summed, and what is left out of a folder in which anything may be."""

from __future__ import annotations

import datetime
import json
import os
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage import ledger
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage.days import Days
from ansible_collections.gatehouse.ollama.plugins.module_utils._usage.ledger import Damage, Figures, Usage, Wanted
from hypothesis import given
from hypothesis import strategies as some

from tests.unit.ledgers import entry, line

TODAY = datetime.date(2026, 11, 30)
FILE, EARLIER = "2026-11-30.jsonl", "2026-11-29.jsonl"
ALICE = ("alice", "laptop", "tiny:latest", "2026-11-30")


def read(folder: Path, **wanted: Any) -> Usage:
    return ledger.read(str(folder), Wanted(**wanted), TODAY)


def lines_of(folder: Path, *lines: bytes, file: str = FILE) -> Usage:
    """What is read of a file with these lines."""
    (folder / file).write_bytes(b"".join(lines))
    return read(folder)


class TestSums:
    def test_requests_are_summed_by_client_key_model_and_day(self, tmp_path: Path) -> None:
        (tmp_path / EARLIER).write_bytes(line())
        usage = lines_of(tmp_path, line(), line(prompt_tokens=1, completion_tokens=2, seconds=3), line(key=""))
        assert usage.sums == {
            (*ALICE[:3], "2026-11-29"): Figures(1, 9, 22, 0, 0, 1.25),
            ALICE: Figures(2, 10, 24, 0, 0, 4.25),
            ("alice", "", "tiny:latest", "2026-11-30"): Figures(1, 9, 22, 0, 0, 1.25),
        }
        assert usage.days == ["2026-11-29", "2026-11-30"]

    def test_tokens_that_ollama_did_not_say_are_told_apart(self, tmp_path: Path) -> None:
        none = line(source="none", prompt_tokens=0, completion_tokens=0)
        (figures,) = lines_of(tmp_path, line(), line(source="counted"), none).sums.values()
        assert (figures.prompt_tokens, figures.completion_tokens, figures.counted_tokens) == (18, 44, 31)

    def test_an_answer_that_is_not_whole_or_was_refused_is_one_error(self, tmp_path: Path) -> None:
        wrong = [line(end="broken"), line(end="error"), line(status=404), line(status=500, end="error")]
        (figures,) = lines_of(tmp_path, line(), line(status=399), *wrong).sums.values()
        assert (figures.requests, figures.errors) == (6, 4)

    @pytest.mark.parametrize("by", [("client",), ("day", "client"), ("model", "key")])
    def test_columns_that_are_not_asked_for_are_summed(self, by: tuple[str, ...], tmp_path: Path) -> None:
        (tmp_path / EARLIER).write_bytes(line() + line(client="bob"))
        (tmp_path / FILE).write_bytes(line(model="other") + line(client="bob", key="ci"))
        everything, asked = read(tmp_path), read(tmp_path, by=by)
        places = [ledger.COLUMNS.index(column) for column in by]
        assert set(asked.sums) == {tuple(names[place] for place in places) for names in everything.sums}
        assert sum(one.requests for one in asked.sums.values()) == 4

    def test_only_the_clients_and_days_that_are_asked_for_count(self, tmp_path: Path) -> None:
        for number in range(26, 31):
            (tmp_path / f"2026-11-{number}.jsonl").write_bytes(line() + line(client="bob") + line(client="carol"))
        days = Days(datetime.date(2026, 11, 27), datetime.date(2026, 11, 29))
        usage = read(tmp_path, by=("client", "day"), days=days, clients=frozenset({"bob", "carol"}))
        assert set(usage.sums) == {(who, f"2026-11-{day}") for who in ("bob", "carol") for day in (27, 28, 29)}
        assert usage.days == ["2026-11-27", "2026-11-28", "2026-11-29"]

    def test_beyond_a_number_of_rows_the_rest_is_summed_in_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ledger, "MOST_SUMS", 2)
        (tmp_path / FILE).write_bytes(b"".join(line(client=f"client-{n}") for n in (1, 2, 3, 1, 4)))
        sums = read(tmp_path, by=("client", "key")).sums
        assert {names: figures.requests for names, figures in sums.items()} == {
            ("client-1", "laptop"): 2,
            ("client-2", "laptop"): 1,
            (ledger.OTHERS, ledger.OTHERS): 2,
        }

    def test_an_empty_folder_has_no_requests(self, tmp_path: Path) -> None:
        assert read(tmp_path) == Usage()

    def test_members_that_a_newer_gateway_adds_are_no_damage(self, tmp_path: Path) -> None:
        assert lines_of(tmp_path, line(more={"a": [1]})) == Usage(
            {ALICE: Figures(1, 9, 22, 0, 0, 1.25)}, ["2026-11-30"]
        )


ENDS: list[Any] = ["", "cut", None, []]
NUMBERS = [-1, True, 1.5, 2**31 + 1, 10**30, "1", None, [], float("nan"), float("inf"), float("-inf")]
NAMES = ["a" * 513, "a\nb", "\x1b[31m", "\u202egnp", "\ud800", "\x7f", None, 1, ["a"]]


class TestDamage:
    @pytest.mark.parametrize(
        "damaged",
        [
            *(b"x\n", b"[]\n", b'"a"\n', b"1\n", b"null\n", b"{}\n", b"\xff\xfe\n", b"\0" * 100 + b"\n", b" \n"),
            *(line()[:-2] + b"\n", line()[:-1] + b"x\n", line()[:-1] + line(), b"[" * 60000 + b"\n"),
            b'{"prompt_tokens":' + b"9" * 60000 + b"}\n",
            *(line(**{name: number}) for name in ("prompt_tokens", "completion_tokens") for number in NUMBERS),
            *(line(seconds=number) for number in NUMBERS if number != 1.5),
            *(line(first_chunk_seconds=number) for number in NUMBERS if number not in (1.5, None)),
            *(line(status=status) for status in (-1, 1000, True, 200.0, "200", None)),
            *(line(**{one: name}) for one in ("client", "key", "model", "route", "server") for name in NAMES),
            *(line(source=source) for source in ("", "guessed", None, ["server"])),
            *(line(end=end) for end in ENDS),
            *(line(time=time) for time in ("", "yesterday", "2026-11-30 06:12:18", None, 1)),
            line(client=""),
            *(json.dumps({n: v for n, v in entry().items() if n != left_out}).encode() + b"\n" for left_out in entry()),
        ],
        ids=lambda value: repr(value[:40]),
    )
    def test_a_line_that_is_not_what_the_gateway_writes_is_left_out_and_counted(
        self, damaged: bytes, tmp_path: Path
    ) -> None:
        usage = lines_of(tmp_path, line(), damaged, line())
        assert [figures.requests for figures in usage.sums.values()] == [2]
        assert usage.damage == {FILE: Damage(1, [2])}

    def test_names_of_the_longest_length_and_numbers_of_the_largest_are_taken(self, tmp_path: Path) -> None:
        usage = lines_of(tmp_path, line(model="ä" * 512, prompt_tokens=2**31, completion_tokens=0, seconds=2**31))
        assert usage.damage == {}

    def test_of_many_damaged_lines_the_first_are_named(self, tmp_path: Path) -> None:
        assert lines_of(tmp_path, *[b"x\n"] * 1000).damage == {FILE: Damage(1000, list(range(1, 11)))}

    def test_an_empty_line_is_none(self, tmp_path: Path) -> None:
        assert lines_of(tmp_path, line(), b"\n", line()).damage == {}

    def test_the_last_line_of_today_without_an_end_is_just_being_written(self, tmp_path: Path) -> None:
        usage = lines_of(tmp_path, line(), line()[:100])
        assert (len(usage.sums), usage.damage) == (1, {})
        usage = lines_of(tmp_path, line(), line()[:100], file=EARLIER)
        assert usage.damage == {EARLIER: Damage(1, [2])}

    @pytest.mark.parametrize("file", [FILE, EARLIER])
    def test_a_last_line_that_lacks_nothing_but_its_end_counts(self, file: str, tmp_path: Path) -> None:
        usage = lines_of(tmp_path, line(), line()[:-1], file=file)
        assert [figures.requests for figures in usage.sums.values()] == [2]
        assert usage.damage == {}

    def test_a_line_of_any_length_is_damage_and_is_not_held(self, tmp_path: Path) -> None:
        with (tmp_path / FILE).open("wb") as file:
            file.write(line())
            for _number in range(64):
                file.write(b"x" * (1 << 20))
            file.write(b"\n" + line())
        tracemalloc.start()
        usage = read(tmp_path)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert [figures.requests for figures in usage.sums.values()] == [2]
        assert usage.damage == {FILE: Damage(1, [2])}
        assert most < 4 << 20

    @pytest.mark.parametrize(("spaces", "damage"), [(0, {}), (1, {FILE: Damage(1, [1])})])
    def test_a_line_of_64_kib_is_read_and_a_longer_one_is_not(
        self, spaces: int, damage: dict[str, Damage], tmp_path: Path
    ) -> None:
        text = line()[:-1]
        assert lines_of(tmp_path, text + b" " * (65536 - len(text) + spaces) + b"\n").damage == damage

    def test_a_file_with_holes_of_a_terabyte_takes_no_time(self, tmp_path: Path) -> None:
        with (tmp_path / FILE).open("wb") as file:
            file.write(line())
            file.truncate(1 << 40)
        usage = read(tmp_path)
        assert usage.damage == {FILE: Damage(1, [2], is_cut=True)}
        assert [figures.requests for figures in usage.sums.values()] == [1]

    @given(some.lists(some.one_of(some.binary(max_size=60), some.sampled_from([line(), line()[:-1]]))))
    def test_whatever_is_there_sound_lines_count_and_others_are_damage(
        self, tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
    ) -> None:
        folder = tmp_path_factory.mktemp("ledger")
        content = b"\n".join(piece for piece in pieces) + b"\n"
        usage = lines_of(folder, content)
        present = [one for one in content.split(b"\n") if one]
        sound = present.count(line()[:-1])
        assert sum(figures.requests for figures in usage.sums.values()) == sound
        assert sum(damage.count for damage in usage.damage.values()) == len(present) - sound


class TestFolder:
    def test_what_has_the_name_of_a_day_and_is_no_file_is_neither_followed_nor_waited_for(self, tmp_path: Path) -> None:
        folder, secret = tmp_path / "usage", tmp_path / "secret"
        folder.mkdir()
        secret.write_bytes(line())
        (folder / "2026-11-01.jsonl").symlink_to(secret)
        (folder / "2026-11-02.jsonl").symlink_to("/dev/zero")
        os.mkfifo(folder / "2026-11-03.jsonl")
        (folder / "2026-11-04.jsonl").mkdir()
        there = Path.cwd()
        os.chdir(folder)
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind("2026-11-05.jsonl")
        finally:
            os.chdir(there)
        (folder / FILE).write_bytes(line())
        usage = read(folder)
        assert usage.no_files == [f"2026-11-0{number}.jsonl" for number in range(1, 6)]
        assert set(usage.sums) == {ALICE}

    @pytest.mark.parametrize(
        "name", ["2026-13-01.jsonl", "2026-11-30.jsonl.gz", "x.jsonl", "2026-11-30", ".2026-11-30.jsonl"]
    )
    def test_what_has_another_name_is_not_looked_at(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(b"x\n")
        assert read(tmp_path) == Usage()

    def test_what_is_written_while_it_is_read_does_not_keep_the_reader(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / FILE).write_bytes(line())

        def entry_and_one_more(text: bytes) -> Any:
            with (tmp_path / FILE).open("ab") as file:
                file.write(line())
            return entry()

        monkeypatch.setattr(ledger, "_entry", entry_and_one_more)
        assert read(tmp_path).sums[ALICE].requests == 1

    def test_a_folder_that_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "none")


def test_memory_does_not_grow_with_the_lines(tmp_path: Path) -> None:
    with (tmp_path / FILE).open("wb") as file:
        for number in range(20000):
            file.write(line(request_id=f"{number:032x}"))
    tracemalloc.start()
    usage = read(tmp_path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert usage.sums[ALICE].requests == 20000
    assert most < 2 << 20
