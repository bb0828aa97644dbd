# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall import gateway as wall_gateway

MASTER = 4242


def container(folder: Path) -> dict[str, Any]:
    """What `docker inspect` says of a gateway."""
    mounts = [
        {"Type": "bind", "Source": str(folder / name), "Destination": f"/etc/gatehouse/{name}", "RW": False}
        for name in ("conf", "lua", "clients", "tls")
    ]
    ledger = {"Source": str(folder / "state" / "usage"), "Destination": "/etc/gatehouse/state"}
    mounts.append({"Type": "bind", **ledger, "RW": True})
    mounts.append({"Type": "volume", "Source": "/var/lib/docker/1", "Destination": "/var/cache", "RW": True})
    return {
        "Image": "sha256:" + "1" * 64,
        "State": {"Pid": MASTER},
        "Config": {
            "User": "64738:64738",
            "Entrypoint": ["openresty", "-c", "/etc/gatehouse/conf/nginx.conf"],
            "Cmd": None,
            "Env": ["PATH=/usr/local/bin:/usr/bin"],
            "Labels": {"com.docker.compose.project": "gatehouse-gateway"},
        },
        "HostConfig": {
            "ReadonlyRootfs": True,
            "Memory": 536870912,
            "NanoCpus": 1500000000,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Tmpfs": {"/tmp": "mode=1777,size=1g"},
            "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 4096}],
            "Sysctls": {"net.core.somaxconn": "1024"},
        },
        "Mounts": mounts,
    }


def test_a_throw_away_gateway_is_like_the_running_one_but_for_its_clients(tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    command = wall_gateway.create_command(container(folder), "/run/wall", "gateway-wall", "default", 90)
    volumes = [one.split("=")[1] for one in command if one.startswith("--volume=")]
    assert volumes == [
        f"{folder}/conf:/etc/gatehouse/conf:ro",
        f"{folder}/lua:/etc/gatehouse/lua:ro",
        "/run/wall:/etc/gatehouse/clients:ro",
        f"{folder}/tls:/etc/gatehouse/tls:ro",
    ]
    # What it counts is nobody's use.
    assert "--tmpfs=/etc/gatehouse/state:mode=1777" in command
    same = ["--user=64738:64738", "--read-only", "--memory=536870912", "--cpus=1.5", "--cap-drop=ALL"]
    same += ["--ulimit=nofile=1024:4096", "--sysctl=net.core.somaxconn=1024", "--env=PATH=/usr/local/bin:/usr/bin"]
    assert {*same, "--security-opt=no-new-privileges:true", "--tmpfs=/tmp:mode=1777,size=1g"} <= set(command)


def test_it_ends_by_itself_publishes_nothing_and_is_not_taken_for_the_running_one(tmp_path: Path) -> None:
    command = wall_gateway.create_command(container(tmp_path), "/run/wall", "gateway-wall", "default", 90)
    assert {"--rm", "--name=gateway-wall", "--label=gatehouse.ollama.wall", "--entrypoint=bash"} <= set(command)
    image = command.index("sha256:" + "1" * 64)
    assert command[image + 1 : image + 4] == ["-c", 'timeout "$@"; exit', "wall"]
    assert command[image + 4 :] == ["--kill-after=10", "90", "openresty", "-c", "/etc/gatehouse/conf/nginx.conf"]
    options = [one.partition("=")[0] for one in command]
    assert not {"--publish", "--restart", "-p"} & set(options)
    assert options.count("--label") == 1


class TestMounts:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "gateway"
        inside = tmp_path / "proc" / str(MASTER) / "root" / "etc" / "gatehouse"
        inside.mkdir(parents=True)
        for name in ("conf", "lua", "clients"):
            (folder / name).mkdir(parents=True)
            (inside / name).symlink_to(folder / name)
        return folder

    def test_the_same_folders_are_right(self, folder: Path, tmp_path: Path) -> None:
        assert wall_gateway.wrong_mounts(container(folder), str(folder), tmp_path / "proc") == []

    def test_a_folder_that_was_replaced_is_found(self, folder: Path, tmp_path: Path) -> None:
        inside = tmp_path / "proc" / str(MASTER) / "root" / "etc" / "gatehouse" / "lua"
        inside.unlink()
        inside.mkdir()
        wrong = wall_gateway.wrong_mounts(container(folder), str(folder), tmp_path / "proc")
        assert wrong == [f"{folder}/lua was replaced since the gateway was started"]

    def test_a_gateway_of_another_folder_and_one_that_can_write_are_found(self, folder: Path, tmp_path: Path) -> None:
        one = container(folder)
        one["Mounts"][0]["Source"] = "/somewhere/conf"
        one["Mounts"][1]["RW"] = True
        del one["Mounts"][2]
        assert wall_gateway.wrong_mounts(one, str(folder), tmp_path / "proc") == [
            f"/etc/gatehouse/conf in the running gateway is not {folder}/conf",
            f"the running gateway can write to {folder}/lua",
            f"/etc/gatehouse/clients in the running gateway is not {folder}/clients",
        ]


class TestWhatRuns:
    """The configuration that runs is that on disk: each worker began after the last change."""

    def began(self, proc: Path, pid: int, seconds_ago: float, title: str, parent: int = MASTER) -> None:
        ticks = int((time.clock_gettime(time.CLOCK_BOOTTIME) - seconds_ago) * os.sysconf("SC_CLK_TCK"))
        (proc / str(pid)).mkdir(parents=True)
        fields = ["S", parent, *[0] * 17, ticks, *[0] * 10]
        (proc / str(pid) / "stat").write_text(f"{pid} (ng) inx) " + " ".join(str(one) for one in fields))
        (proc / str(pid) / "cmdline").write_bytes(title.encode() + b"\0")

    def holds(self, tmp_path: Path) -> bool:
        (tmp_path / "conf" / "sub").mkdir(parents=True)
        (tmp_path / "conf" / "sub" / "nginx.conf").write_text("x")
        # A time that somebody set counts for nothing.
        os.utime(tmp_path / "conf" / "sub" / "nginx.conf", (0, 0))
        return wall_gateway.runs_what_is_there(MASTER, [str(tmp_path / "conf")], tmp_path / "proc")

    def test_workers_that_began_later_have_it(self, tmp_path: Path) -> None:
        self.began(tmp_path / "proc", 1, -5, "nginx: worker process")
        self.began(tmp_path / "proc", 2, 500, "nginx: worker process is shutting down")
        self.began(tmp_path / "proc", 3, 500, "nginx: worker process", parent=1)
        self.began(tmp_path / "proc", MASTER, 500, "nginx: master process", parent=1)
        assert self.holds(tmp_path)

    @pytest.mark.parametrize("ages", [[5], [-5, 5], []])
    def test_one_that_began_before_has_it_not(self, tmp_path: Path, ages: list[float]) -> None:
        for pid, age in enumerate(ages, 1):
            self.began(tmp_path / "proc", pid, age, "nginx: worker process")
        assert not self.holds(tmp_path)
