# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.gatehouse.ollama.plugins.module_utils._models import recipe as looks
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import Recipe

WEIGHTS = "bc2d27c96e8c357215f2152d466999972e4d9026bf0747973498a4925a8463a7"
PARAMETERS = {"num_ctx": "512", "stop": '"User:"', "temperature": "0"}
# As a real server answered.
SHOWN = {
    "license": "none",
    "modelfile": f"# Modelfile generated\n# FROM tiny:latest\n\nFROM /srv/models/blobs/sha256-{WEIGHTS}\nSYSTEM x\n",
    "parameters": "\n".join(f"{key:<30} {value}" for key, value in PARAMETERS.items()),
    "template": "{{ .Prompt }} ",
    "system": "You are tiny.",
}


def test_the_weights_are_known_by_the_digest_in_the_modelfile() -> None:
    assert looks.look(SHOWN).weights == {WEIGHTS}
    assert looks.look({}).weights == set()


def test_parameters_are_read_as_go_writes_them() -> None:
    text = 'stop "<|a|>"\nstop "b\\n"\ntop_p 0.9\nnum_ctx 1e+06\nuse_mmap true\nname "x"'
    told = {"stop": ["b\n", "<|a|>"], "top_p": 0.9, "num_ctx": 1_000_000, "use_mmap": True, "name": "x"}
    assert looks.read_parameters(text) == looks.wanted_parameters(told)


def test_a_recipe_overlays_its_base() -> None:
    base = looks.look(SHOWN)
    recipe = Recipe(system="Other.", parameters={"num_ctx": 1024}, license=("ours",))
    wish = looks.wanted(recipe, base, [], None)
    assert (wish.weights, wish.template, wish.system) == (base.weights, base.template, "Other.")
    assert wish.parameters == {**base.parameters, "num_ctx": ("1024",)}
    assert wish.license == "none\nours"


def test_a_licence_is_right_whether_it_is_added_or_put_in_the_place_of_the_base() -> None:
    base = looks.look(SHOWN)
    recipe = Recipe(license=("ours",))
    for text in ("none\nours", "ours"):
        now = looks.look({**SHOWN, "license": text})
        assert looks.wanted(recipe, base, [], now) == now


def test_what_the_server_finds_in_a_file_is_right() -> None:
    now = looks.look(SHOWN)
    assert looks.wanted(Recipe(files=("/x",), system="You are tiny."), None, [WEIGHTS], now) == now
    assert looks.wanted(Recipe(files=("/x",)), None, [WEIGHTS], now) != now
