# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways, upstreams and readers that tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.component.gateways import Gateway, gateway
from tests.component.parsers import Lua
from tests.component.upstreams import Echo, echo


@pytest.fixture(scope="session")
def upstream() -> Iterator[Echo]:
    with echo() as server:
        yield server


@pytest.fixture(scope="session")
def lua() -> Iterator[Lua]:
    reader = Lua()
    yield reader
    reader.stop()


def _gateway(auth: str, upstream: Echo, factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(factory.mktemp(auth), auth, upstream.address) as server:
        yield server


@pytest.fixture(scope="session")
def basic_gateway(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    yield from _gateway("basic", upstream, tmp_path_factory)


@pytest.fixture(scope="session")
def bearer_gateway(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    yield from _gateway("bearer", upstream, tmp_path_factory)


@pytest.fixture(scope="session")
def both_gateway(upstream: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    yield from _gateway("both", upstream, tmp_path_factory)


@pytest.fixture(params=["basic", "bearer", "both"])
def any_gateway(request: pytest.FixtureRequest) -> Gateway:
    """Each of the three in turn. Tests leave its files as they were."""
    server: Gateway = request.getfixturevalue(f"{request.param}_gateway")
    return server


@pytest.fixture(params=["bearer", "both"])
def key_gateway(request: pytest.FixtureRequest) -> Gateway:
    """Each of those that take keys."""
    server: Gateway = request.getfixturevalue(f"{request.param}_gateway")
    return server
