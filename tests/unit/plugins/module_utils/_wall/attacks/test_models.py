# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attacks of a client that may use some models only."""

from __future__ import annotations

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.attacks import models
from ansible_collections.gatehouse.ollama.plugins.module_utils._wall.http import Answer

from tests.unit.plugins.module_utils._wall.test_wall import CREDENTIALS, ROUTES, SERVED

TRIED = list(models.without_model(ROUTES, SERVED, CREDENTIALS))
BODIES = [route for route in SERVED if route.model == "body"]


def test_there_are_attacks_only_with_clients_that_have_a_list() -> None:
    assert {attack.column for attack in TRIED} == {"limited"}
    assert list(models.without_model(ROUTES, SERVED, CREDENTIALS[:4])) == []


def test_every_route_that_names_a_model_is_asked_for_another_one() -> None:
    for route in SERVED:
        sent = [attack.request.raw for attack in TRIED if attack.route == route.name]
        if route.model in ("body", "form", "path"):
            assert any(b"gatehouse-wall-other" in raw or models.OTHER.encode() in raw for raw in sent), route
        if ":digest" in route.path or route.scope == "account":
            assert {attack.expects.text for attack in TRIED if attack.route == route.name} == {"403"}


@pytest.mark.parametrize("route", BODIES, ids=lambda route: route.name)
def test_a_body_is_spelled_in_many_ways_and_no_two_are_the_same(route: models.Route) -> None:
    with_key = [one for one in TRIED if one.route == route.name and CREDENTIALS[4].encoded in one.request.raw]
    bodies = [attack.request.raw for attack in with_key]
    assert len(set(bodies)) == len(bodies) >= 35
    names = [attack.name for attack in with_key]
    assert len(set(names)) == len(names)
    for field in route.fields:
        assert any(name.endswith("limited: as " + field) for name in names)


def test_the_weights_of_another_model_are_tried_by_their_digest() -> None:
    names = {attack.name.partition(": ")[2] for attack in TRIED if attack.route == "POST /api/create"}
    assert {"its weights in files", "its weights in adapters", "as from"} <= names


def told(status: int, body: str) -> Answer:
    return Answer(f"HTTP/1.1 {status} Words\r\nContent-Type: application/json\r\n\r\n{body}".encode())


def test_only_the_gateways_own_refusal_counts() -> None:
    holds = models._REFUSED.holds
    assert holds(told(403, '{"error":"this client may not do this"}'))
    assert holds(told(404, '{"error":"there is no such route"}'))
    assert holds(told(400, '{"error":"the body names the model twice, or in another spelling than small letters"}'))
    assert holds(told(400, '{"error":{"message":"something follows the JSON of the body","type":"x"}}'))
    assert not holds(told(404, '{"error":{"message":"model \'x\' not found","type":"api_error"}}'))
    assert not holds(told(400, '{"error":"missing request body"}'))
    assert not holds(told(400, "400 Bad Request: invalid header value"))
    assert not holds(told(200, "{}"))
    assert not holds(Answer())


def test_a_list_may_hold_the_clients_own_models_and_no_other() -> None:
    holds = models._SHOWS_NONE.holds
    assert holds(told(200, '{"models":[]}'))
    assert holds(told(200, '{"object":"list","data":null}'))
    assert not holds(told(200, '{"models":[{"name":"tiny:latest"}]}'))
    assert not holds(told(200, '{"object":"list","data":[{"id":"tiny","object":"model"}]}'))
    assert not holds(Answer())
