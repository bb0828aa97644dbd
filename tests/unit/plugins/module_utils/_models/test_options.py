# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import (
    KEYS,
    ordered,
    read_model,
    read_models,
)
from ansible_collections.gatehouse.ollama.plugins.modules import model


def problems(*models: Any) -> list[str]:
    return read_models(list(models), "ollama_server_models")[1]


def order(*models: Any) -> list[str]:
    wanted, wrong = read_models(list(models), "m")
    assert wrong == []
    return [one.name.model for one in ordered(wanted)]


def test_names_and_dictionaries_may_stand_side_by_side() -> None:
    wanted, wrong = read_models(["tiny", {"name": "llama3.2:1b", "state": "latest", "keep_alive": "-1"}], "m")
    assert wrong == []
    assert [(one.name.short, one.state, one.keep_alive) for one in wanted] == [
        ("tiny:latest", "present", None),
        ("llama3.2:1b", "latest", -1),
    ]


def test_the_module_has_every_option_of_a_dictionary() -> None:
    assert set(KEYS) <= set(model.OPTIONS)


def test_options_that_nobody_gave_do_not_count() -> None:
    given = {name: None for name in model.OPTIONS}
    wanted, wrong = read_model({**given, "name": "tiny", "state": "absent", "insecure": False})
    assert wrong == []
    assert wanted is not None
    assert (wanted.recipe, wanted.source) == (None, None)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (7, "it must be the name of a model, or a dictionary with a name"),
        ({}, ".name: it is missing"),
        ("a b", ".name: a b cannot be the name of a model"),
        ({"name": "a", "digest": "abc"}, ".digest: it must be the first 12 digits or all 64"),
        ({"name": "a", "nmae": "b"}, ".nmae: it is unknown; is name meant?"),
        ({"name": "a", "state": "there"}, ".state: it must be present, latest or absent"),
        ({"name": "a", "system": "x"}, ".system: a model is made either from another one (from) or of files"),
        ({"name": "a", "from": "b", "files": ["/x"]}, ".from: a model is made either"),
        ({"name": "a", "from": "b", "source": "c"}, ".source: a copy has all of its source"),
        ({"name": "a", "from": "b", "digest": "0" * 12}, ".digest: only a model that is downloaded can be pinned"),
        ({"name": "a", "state": "latest", "digest": "0" * 12}, ".digest: with state latest there is nothing to pin"),
        ({"name": "a", "state": "latest", "from": "b"}, ".state: latest is for models that are downloaded"),
        ({"name": "a", "state": "absent", "keep_alive": 5}, ".keep_alive: it has no meaning with state absent"),
        ({"name": "a", "keep_alive": "soon"}, ".keep_alive: it must be seconds or a duration such as 30m"),
        ({"name": "a", "keep_alive": True}, ".keep_alive: it must be seconds or a duration"),
        ({"name": "a", "files": ["own.gguf"]}, ".files: it must be a list of GGUF files, by their absolute paths"),
        ({"name": "a", "files": ["/a/x", "/b/x"]}, ".files: each must have a name of its own"),
        (
            {"name": "a", "from": "b", "parameters": {"num_ctx": "many"}},
            ".parameters.num_ctx: it must be a whole number",
        ),
        (
            {"name": "a", "from": "b", "parameters": {"stop": 1}},
            ".parameters.stop: it must be a text or a list of texts",
        ),
        ({"name": "a", "from": "b", "messages": [{"role": "me", "content": ""}]}, ".messages[0]: its role must be"),
        (
            {"name": "a", "from": "b", "system": ""},
            ".system: it must be a text; to keep that of the base, leave it out",
        ),
        ({"name": "a", "insecure": "yes"}, ".insecure: it must be true or false"),
        ({"name": "a", "from": "a:latest"}, ".from: a:latest is made from itself"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(entry: Any, message: str) -> None:
    (told,) = problems("fine", entry)
    assert told.startswith("ollama_server_models[1]" + (message if message.startswith(".") else ": " + message))


def test_all_problems_are_told_at_once() -> None:
    assert len(problems("a b", {"name": "x", "digest": "y"}, 3)) == 3
    assert read_models("tiny", "models")[1][0].startswith("models: it must be a list of models")


def test_a_model_is_listed_once_whatever_its_spelling() -> None:
    assert problems("tiny", "library/TINY:latest") == [
        "ollama_server_models[1].name: TINY:latest is the model of ollama_server_models[0] already"
    ]


def test_a_base_must_not_be_absent_and_circles_are_found() -> None:
    absent = problems({"name": "a", "from": "b"}, {"name": "b", "state": "absent"})
    assert absent == ["ollama_server_models[0].from: b:latest is to be absent (ollama_server_models[1])"]
    circle = problems({"name": "a", "from": "b"}, {"name": "b", "source": "a"})
    assert [one.endswith("is made from itself") for one in circle] == [True, True]


def test_parameters_from_templates_are_numbers_again() -> None:
    given = {"num_ctx": "8192", "temperature": "0.5", "stop": "User:", "use_mmap": "false", "own_thing": "x"}
    wanted, wrong = read_models([{"name": "a", "from": "b", "parameters": given}], "m")
    assert wrong == []
    assert wanted[0].recipe is not None
    assert wanted[0].recipe.parameters == {
        "num_ctx": 8192,
        "temperature": 0.5,
        "stop": ["User:"],
        "use_mmap": False,
        "own_thing": "x",
    }


def test_bases_come_first_and_what_makes_room_before_all() -> None:
    models = [{"name": "c", "source": "b"}, {"name": "b", "from": "a"}, "a", {"name": "old", "state": "absent"}, "z"]
    assert order(*models) == ["old", "a", "b", "c", "z"]
