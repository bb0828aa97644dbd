# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents and code say the same: defaults, argument specs, READMEs, inventories, scenarios, galaxy.yml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import routes_page

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/argument_specs.yml"))
ROLE_NAMES = [role.name for role in ROLES]
PLAYBOOKS = sorted(ROOT.glob("playbooks/*.yml"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def options(role: Path) -> dict[str, Any]:
    """The options of every entry point of a role, merged."""
    merged: dict[str, Any] = {}
    for entry in load(role / "meta/argument_specs.yml")["argument_specs"].values():
        merged.update(entry.get("options", {}))
    return merged


def words(text: str) -> set[str]:
    """Every name in `text` that begins like a variable of one of the roles."""
    pattern = rf"(?<![A-Za-z0-9_.])(?:{'|'.join(ROLE_NAMES)})_[a-z0-9_]+"
    return set(re.findall(pattern, text))


def test_the_roles_of_the_design_are_here() -> None:
    assert {"docker_engine", "ollama_server", "ollama_gateway"} <= set(ROLE_NAMES)


@pytest.mark.parametrize("role", ROLES, ids=ROLE_NAMES)
class TestRole:
    def test_every_input_has_a_default_and_a_specification_in_the_same_order(self, role: Path) -> None:
        main = load(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
        assert list(load(role / "defaults/main.yml")) == list(main)

    def test_every_input_begins_with_the_name_of_the_role(self, role: Path) -> None:
        assert [name for name in options(role) if not name.startswith(f"{role.name}_")] == []

    def test_a_variable_is_shown_once_with_an_example_of_its_role(self, role: Path) -> None:
        """`ansible-doc -t role` prints the options of each entry point: what all of them take stands at the first."""
        specs = load(role / "meta/argument_specs.yml")["argument_specs"]
        again = {name: set(spec.get("options", {})) for name, spec in specs.items() if name != "main"}
        assert max(map(len, again.values()), default=0) <= 3
        if len(specs) > 1:
            shown = yaml.safe_load(specs["main"]["examples"])
            assert words(yaml.safe_dump(shown)) <= set(options(role)) | set(ROLE_NAMES)

    def test_every_input_has_a_type_and_a_description(self, role: Path) -> None:
        lacking = [name for name, spec in options(role).items() if not (spec.get("type") and spec.get("description"))]
        assert lacking == []

    def test_a_default_in_the_specification_is_the_default_of_the_role(self, role: Path) -> None:
        defaults = load(role / "defaults/main.yml")
        stated = {name: spec["default"] for name, spec in options(role).items() if "default" in spec}
        assert stated == {name: defaults[name] for name in stated}

    def test_every_plain_default_is_stated_in_the_specification(self, role: Path) -> None:
        """Only a computed default, which a specification cannot hold, is left out there."""
        stated = options(role)
        defaults = load(role / "defaults/main.yml")
        assert [n for n, v in defaults.items() if "{{" not in str(v) and "default" not in stated[n]] == []

    def test_the_readme_names_every_input_and_no_other(self, role: Path) -> None:
        named = {name for name in words((role / "README.md").read_text(encoding="utf-8")) if name.startswith(role.name)}
        assert named == set(options(role))

    def test_the_readme_states_the_defaults(self, role: Path) -> None:
        text = (role / "README.md").read_text(encoding="utf-8")
        wrong = []
        for name, value in load(role / "defaults/main.yml").items():
            row = next((line for line in text.splitlines() if line.startswith(f"| `{name}` ")), "")
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            if "{{" not in shown and value not in ("", [], {}) and not isinstance(value, (dict, list)):
                wrong += [f"{name}: {shown} is not in {row!r}"] if shown not in row else []
        assert wrong == []


@pytest.mark.parametrize(
    "path",
    [
        *ROOT.glob("inventories/**/*.yml"),
        *PLAYBOOKS,
        *ROOT.glob("molecule/**/*.yml"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_variable_that_is_named_exists(path: Path) -> None:
    known = {name for role in ROLES for name in options(role)}
    assert {name for name in words(path.read_text(encoding="utf-8")) if name not in known | set(ROLE_NAMES)} <= {
        "ollama_servers",
        "ollama_gateways",
    }


@pytest.mark.parametrize("scenario", sorted(ROOT.glob("molecule/*/molecule.yml")), ids=lambda path: path.parent.name)
def test_every_scenario_verifies_something(scenario: Path) -> None:
    tests = list(scenario.parent.glob("tests/test_*.py"))
    assert any("def test_" in test.read_text(encoding="utf-8") for test in tests)


def test_the_dependencies_of_galaxy_yml_and_requirements_yml_agree() -> None:
    declared = load(ROOT / "galaxy.yml")["dependencies"]
    listed = {entry["name"]: entry["version"] for entry in load(ROOT / "requirements.yml")["collections"]}
    assert declared == listed


def is_internal(module: Path) -> bool:
    return "\n  - Internal to the roles of this collection," in module.read_text(encoding="utf-8")


def test_the_readme_names_every_playbook_role_and_module_that_is_for_users() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    modules = [path.stem for path in ROOT.glob("plugins/modules/*.py") if not is_internal(path)]
    playbooks = [path.stem for path in PLAYBOOKS if path.stem != "groups"]
    assert [name for name in ROLE_NAMES + modules + playbooks if name not in text] == []


def test_every_make_target_that_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    documents = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
    assert set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)`", documents)) <= targets


def test_the_page_of_routes_is_made_from_the_table() -> None:
    assert routes_page.PAGE.read_text(encoding="utf-8") == routes_page.render()


def test_a_route_is_written_down_once_and_completely() -> None:
    seen = [(route["method"], route["path"]) for route in routes_page.routes()]
    assert len(seen) == len(set(seen))
    fields = {"method", "path", "scope", "class", "stream", "body", "model", "fields"}
    assert [route for route in routes_page.routes() if set(route) - {"only", "own", "usage"} != fields] == []
    # Those that a model answers are counted.
    assert [route for route in routes_page.routes() if ("usage" in route) != (route["class"] == "inference")] == []


def test_what_changes_models_says_what_a_client_with_a_list_of_models_may_send() -> None:
    changing = [route for route in routes_page.routes() if route["scope"] == "models_write"]
    assert [route["path"] for route in changing if "digest" in route["path"] and route["model"] != "digest"] == []
    # What takes no more than names needs no rule.
    open_ended = {route["path"] for route in changing if route["model"] == "body" and "only" not in route}
    assert open_ended == {"/api/delete"}
    allowed = {member for route in changing for member in route.get("only", [])}
    dangerous = {"files", "adapters", "draft_files", "remote_host", "modelfile", "path", "source", "info"}
    assert allowed & dangerous == set()
