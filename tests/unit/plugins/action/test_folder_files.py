# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""folder_files against a folder, and what a user sees of it: by ansible-playbook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import Direct, Playbook


def folder_files(path: Path, files: Any = None, **options: Any) -> dict[str, Any]:
    given = {} if files is None else {"files": files}
    return {"gatehouse.ollama.folder_files": {"path": str(path), "mode": "u=rwX,g=rX,o=", **given, **options}}


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_holds_the_files_once_and_a_second_run_changes_nothing(direct: Direct, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    wanted = {"one.conf": "one;\n", "below/two.conf": "two {\n}\n"}
    run = direct.run([folder_files(folder, wanted)] * 2)
    assert [task["changed"] for task in run.only] == [True, False], run.output
    assert run.only[0]["added"] == ["below/two.conf", "one.conf"]
    assert contents(folder) == wanted
    assert {oct(path.stat().st_mode & 0o7777) for path in folder.rglob("*")} == {"0o750", "0o640"}


def test_only_what_differs_is_written_and_only_that_is_told(playbook: Playbook, direct: Direct, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    direct.run([folder_files(folder, {"same": "same\n", "other": "before\n"})])
    same = (folder / "same").stat().st_ino
    run = playbook.run([folder_files(folder, {"same": "same\n", "other": "after\n"})], "--diff", "-v")
    assert (run.only[0]["added"], run.only[0]["updated"], run.only[0]["removed"]) == ([], ["other"], [])
    assert (folder / "same").stat().st_ino == same
    assert "-before" in run.output
    assert "+after" in run.output
    assert "same" not in run.output.replace(str(tmp_path), "")


def test_the_difference_is_one_of_names_unless_more_is_asked_for(
    playbook: Playbook, direct: Direct, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    direct.run([folder_files(folder, {"gone": "x\n", "same": "same\n", "other": "before\n"})])
    wanted = {"same": "same\n", "other": "after\n", "new": "text of the new file\n"}
    said = playbook.run([folder_files(folder, wanted)], "--check", "--diff").output
    expected = ["-2 files: gone, other", "+2 files: new, other (changed)"]
    assert [line for line in expected if line not in said.splitlines()] == []
    assert [word for word in ("before\n", "+after", "text of the new file") if word in said] == []
    said = playbook.run([folder_files(folder, wanted)], "--check", "--diff", "-v").output
    expected = ["-gone", "+new", "-other", "+other (changed)", "+text of the new file"]
    assert [line for line in expected if line not in said.splitlines()] == []


def test_many_new_files_are_a_few_lines(playbook: Playbook, tmp_path: Path) -> None:
    wanted = {f"gatehouse/module_{number}.lua": "x\n" for number in range(40)}
    said = playbook.run([folder_files(tmp_path / "folder", wanted)], "--check", "--diff").output
    lines = [line for line in said.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert lines[0].startswith("+40 files: gatehouse/{module_0.lua, module_1.lua, ")
    assert "module_9.lua}" in said
    assert len(lines) < 8
    assert max(map(len, lines)) < 120


def test_what_is_not_listed_goes_whatever_it_is(direct: Direct, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept")
    (folder / "old" / "deeper").mkdir(parents=True)
    (folder / "old" / "deeper" / "file").write_text("old")
    (folder / "was_folder").mkdir()
    (folder / "now_folder").write_text("a file where a folder is to be")
    (folder / "link").symlink_to(elsewhere)
    (folder / "linked").symlink_to(elsewhere / "kept")
    wanted = {"was_folder": "x", "now_folder/file": "y", "linked": "kept"}
    run = direct.run([folder_files(folder, wanted)] * 2)
    assert [task["changed"] for task in run.only] == [True, False], run.output
    assert contents(folder) == wanted
    assert not (folder / "linked").is_symlink()
    assert (elsewhere / "kept").read_text() == "kept"


def test_a_mode_that_drifted_is_a_change(direct: Direct, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    direct.run([folder_files(folder, {"below/file": "x"})])
    (folder / "below" / "file").chmod(0o644)
    run = direct.run([folder_files(folder, {"below/file": "x"})] * 2)
    assert [task["changed"] for task in run.only] == [True, False], run.output
    assert (folder / "below" / "file").stat().st_mode & 0o7777 == 0o640


def test_no_text_of_a_file_is_printed_or_kept_by_whoever_keeps_results(playbook: Playbook, tmp_path: Path) -> None:
    """Whatever the verbosity: the environment of a server may hold a password."""
    task = {"gatehouse.ollama.folder_files": {"path": str(tmp_path / "folder"), "files": {"a": "{{ text }}"}}}
    run = playbook.run([{**task, "diff": False}], "-vvv", text="planted-secret")
    assert (tmp_path / "folder" / "a").read_text() == "planted-secret"
    assert "planted-secret" not in run.output
    assert "planted-secret" not in json.dumps(run.only)


def test_without_purge_the_folder_may_be_reached_by_a_link(direct: Direct, tmp_path: Path) -> None:
    (tmp_path / "disk" / "gateway").mkdir(parents=True)
    (tmp_path / "gateway").symlink_to(tmp_path / "disk" / "gateway")
    options = {"path": str(tmp_path / "gateway"), "purge": False, "files": {"compose.yaml": "ours"}}
    assert direct.run([{"gatehouse.ollama.folder_files": options}]).only[0]["changed"]
    assert (tmp_path / "disk" / "gateway" / "compose.yaml").read_text() == "ours"


def test_without_purge_all_else_stays_and_gets_no_mode_unless_asked_for(direct: Direct, tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    for name in ("tls/key", "clients/left.open", "compose.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
        (folder / name).chmod(0o604)
    (tmp_path / "elsewhere").write_text("x")
    (tmp_path / "elsewhere").chmod(0o604)
    (folder / "clients" / "link").symlink_to(tmp_path / "elsewhere")
    options = {"path": str(folder), "purge": False, "mode": "u=rwX,g=rX,o="}
    folders: dict[str, dict[str, str]] = {"clients": {}, "tls": {}, "new": {}, "new/inner": {}}
    which = {"folders": folders, "recurse": ["clients"], "writable": ["new/inner"]}
    tasks = [
        {"gatehouse.ollama.folder_files": {**options, **which}},
        {"gatehouse.ollama.folder_files": {**options, "files": {"compose.yaml": "ours"}}},
    ]
    first = direct.run(tasks, "--check").only + direct.run(tasks).only
    assert [result["changed"] for result in first] == [True] * 4
    assert [result["changed"] for result in direct.run(tasks).only] == [False] * 2
    modes = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert {name: mode for name, mode in modes.items() if name.startswith(("gateway", "elsewhere"))} == {
        **dict.fromkeys(["gateway", "gateway/clients", "gateway/tls", "gateway/new"], 0o750),
        "gateway/new/inner": 0o770,
        **dict.fromkeys(["gateway/clients/left.open", "gateway/compose.yaml"], 0o640),
        **dict.fromkeys(["gateway/tls/key", "gateway/clients/link", "elsewhere"], 0o604),
    }
    assert ((folder / "tls/key").read_text(), (folder / "compose.yaml").read_text()) == ("mine", "ours")


def test_a_folder_of_the_controller_is_taken_with_what_is_below(direct: Direct, tmp_path: Path) -> None:
    source, folder = tmp_path / "files" / "lua", tmp_path / "folder"
    (source / "gatehouse").mkdir(parents=True)
    (source / "gatehouse" / "a.lua").write_text("return 'ä'\n")
    (folder / "conf").mkdir(parents=True)
    for name in ("mine", "conf/old"):
        (folder / name).write_text("x")
    run = direct.run([folder_files(folder, folders={"lua": str(source), "conf": {"b.conf": "b;\n"}})] * 2)
    assert [task["changed"] for task in run.only] == [True, False], run.output
    assert (run.only[0]["added"], run.only[0]["removed"]) == (["lua/gatehouse/a.lua", "conf/b.conf"], ["conf/old"])
    # What is beside those folders is somebody else's.
    assert contents(folder) == {"lua/gatehouse/a.lua": "return 'ä'\n", "conf/b.conf": "b;\n", "mine": "x"}


def test_check_mode_tells_the_truth_and_changes_nothing(direct: Direct, tmp_path: Path) -> None:
    there, missing = tmp_path / "there", tmp_path / "missing" / "folder"
    there.mkdir()
    (there / "old").write_text("old")
    run = direct.run([folder_files(there, {"new": "x"}), folder_files(missing, {"new": "x"})], "--check")
    assert [(task["changed"], task["added"], task["removed"]) for task in run.only] == [
        (True, ["new"], ["old"]),
        (True, ["new"], []),
    ]
    assert contents(there) == {"old": "old"}
    assert not missing.parent.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"files": {"../x": ""}},
            "files: ../x is no path of letters, digits, dots, dashes and slashes below the folder",
        ),
        ({"files": {"/x": ""}}, "files: /x is no path"),
        ({"files": {"a/./x": ""}}, "files: a/./x is no path"),
        ({"files": {"x": ["y"]}}, "files: the content of x must be a text"),
        ({"files": "x"}, "dict"),
        ({"folders": {"a": ["x"]}}, "folder/a must be a dictionary of files, or a folder of the controller"),
        ({"folders": {"../a": {"x": ""}}}, "folders: ../a is no path of a folder"),
        ({"folders": {"": {"x": ""}}}, "folders:  is no path of a folder"),
        ({"files": {"a": ""}, "folders": {"a": {"x": ""}}}, "mutually exclusive"),
        ({"files": {"a": "", "a/b": ""}}, "files: a cannot be a file and a folder"),
        ({}, "one of the following is required: files, folders"),
        ({"folders": {"a": "nowhere"}}, "folders: nowhere cannot be read"),
        ({"folders": {"a": ""}}, "folders: it must be a folder of the controller with files"),
        ({"folders": {"a": "play.yml"}}, "folders: play.yml must be a folder of the controller with files"),
    ],
)
def test_input_that_cannot_be_is_refused_before_anything_is_written(
    direct: Direct, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    (direct.folder / "play.yml").touch()
    run = direct.run([folder_files(tmp_path / "folder", **options)])
    assert run.only[0]["failed"], run.output
    assert said in run.only[0]["msg"]
    assert not (tmp_path / "folder").exists()


def test_a_place_that_cannot_be_written_to_is_named(direct: Direct, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    run = direct.run([folder_files(tmp_path / "file" / "folder", {"x": "y"})])
    assert run.only[0]["msg"] == f"path: {tmp_path}/file/folder cannot be read or written: Not a directory"


@pytest.mark.parametrize(
    "path", ["/", "/etc", "/etc/.", "//etc", "//etc//", "{folder}/link", "{folder}/link/", "{folder}/link/."]
)
def test_a_folder_that_may_be_somebody_elses_is_refused(direct: Direct, tmp_path: Path, path: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    task = folder_files(tmp_path, {"x": "y"})
    task["gatehouse.ollama.folder_files"]["path"] = path.format(folder=tmp_path)
    run = direct.run([task], "--check")
    assert "is not a folder of its own" in run.only[0]["msg"], run.output
    assert (tmp_path / "elsewhere" / "kept").exists()
