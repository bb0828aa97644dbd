# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that lists its models and generates with none is no server; what was loaded for good is so again."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import ServerError
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import smoke

FOREVER, SOON = "2318-03-01T00:00:00Z", "2026-11-30T16:00:00Z"


class Server:
    """A server with these models and their sizes; `broken` ones generate nothing."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes
        self.broken: set[str] = set()
        self.remote: set[str] = set()
        self.loaded: dict[str, str] = {}
        self.asked: list[str] = []

    def tags(self) -> list[dict[str, Any]]:
        return [
            {"name": f"{name}:latest", "size": size, **({"remote_host": "ollama.com"} if name in self.remote else {})}
            for name, size in self.sizes.items()
        ]

    def ps(self) -> list[dict[str, Any]]:
        return [{"name": f"{name}:latest", "expires_at": expires} for name, expires in self.loaded.items()]

    def answers_with(self, name: str) -> None:
        name = name.partition(":")[0]
        self.asked.append(name)
        if name in self.broken:
            raise ServerError(f"no {name}")
        self.loaded.setdefault(name, SOON)

    def load(self, name: str, keep_alive: int) -> None:
        name = name.partition(":")[0]
        self.loaded[name] = FOREVER
        if keep_alive == 0:
            del self.loaded[name]


def test_the_smallest_generates_and_leaves_the_memory_again() -> None:
    server: Any = Server(large=3, small=1, medium=2)
    assert smoke.try_out(server) == ("small:latest", 3)
    assert (server.asked, server.loaded) == (["small"], {})


def test_one_that_was_loaded_stays() -> None:
    server: Any = Server(small=1)
    server.loaded["small"] = FOREVER
    smoke.try_out(server)
    assert server.loaded == {"small": FOREVER}


def test_a_model_that_is_broken_by_itself_does_not_make_the_server_bad() -> None:
    server: Any = Server(broken=1, good=2)
    server.broken = {"broken"}
    assert smoke.try_out(server) == ("good:latest", 2)


def test_a_server_with_which_none_does_anything_is_told_with_its_words() -> None:
    server: Any = Server(a=1, b=2, c=3, d=4)
    server.broken = {"a", "b", "c"}
    with pytest.raises(smoke.SmokeError, match=r"a:latest: no a; b:latest: no b; c:latest: no c$"):
        smoke.try_out(server)
    assert server.asked == ["a", "b", "c"]


def test_one_without_models_of_its_own_has_to_list_them_only() -> None:
    server: Any = Server()
    assert smoke.try_out(server) == ("", 0)
    server = Server(cloud=0)
    server.remote = {"cloud"}
    assert smoke.try_out(server) == ("", 1)
    assert server.asked == []


def test_what_is_to_stay_is_loaded_once_if_the_server_has_it() -> None:
    server: Any = Server(a=1, b=2, c=3)
    server.loaded = {"a": SOON, "b": FOREVER}
    assert smoke.load(server, ["a", "a:latest", "b", "missing"]) == ["a:latest"]
    assert smoke.loaded_for_good(server) == ["a:latest", "b:latest"]
