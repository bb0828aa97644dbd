# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable means the same from YAML and as text, as `-e name=value`, an INI inventory and the environment give it.

Held for every option of every argument specification, in two ways: whoever uses one converts it, and what templates and
variables of the role make of both spellings is the same.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import fragment_loader, lookup_loader
from ansible.template import Templar, trust_as_template
from ansible.utils.plugin_docs import get_docstring
from jinja2 import Environment, nodes

from tests.unit.conftest import Playbook

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/argument_specs.yml"))
CONVERSIONS = {"bool": "bool", "int": "int", "list": "gatehouse.ollama.as_list", "dict": "gatehouse.ollama.as_dict"}
# A value of each type as YAML has it, and its texts.
SPELLINGS: dict[str, list[tuple[Any, list[str]]]] = {
    "bool": [(True, ["true", "True", "yes", "on", "1"]), (False, ["false", "False", "no", "off", "0"])],
    "int": [(7, ["7"]), (0, ["0"])],
    "list": [(["a:1", "b:2"], ['["a:1", "b:2"]', "['a:1', 'b:2']", "a:1,b:2"]), ([], ["", "[]"])],
    "dict": [({"A": "b"}, ['{"A": "b"}', "{'A': 'b'}"]), ({}, ["", "{}"])],
}
CONDITIONS = ("when", "that", "failed_when", "changed_when", "until")


def types(role: Path) -> dict[str, str]:
    """The options of all entry points of a role that are more than text, with their types."""
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    found = {name: one["type"] for spec in specs.values() for name, one in (spec.get("options") or {}).items()}
    return {name: kind for name, kind in found.items() if kind in CONVERSIONS}


TYPES = {name: kind for role in ROLES for name, kind in types(role).items()}


class Use(NamedTuple):
    """An expression of Jinja, where it is, and the type of the module's option that it is all of."""

    source: str
    place: str
    target: str = ""


@functools.cache
def options_of(module: str) -> dict[str, Any]:
    path = ROOT / "plugins/modules" / (module.removeprefix("gatehouse.ollama.") + ".py")
    if not module.startswith("gatehouse.ollama.") or not path.exists():
        return {}
    documentation: dict[str, Any] = get_docstring(str(path), fragment_loader, collection_name="gatehouse.ollama")[0]
    return dict(documentation["options"])


def uses(node: Any, place: str, key: str = "", target: str = "") -> Iterator[Use]:
    """All that Ansible evaluates in what a YAML file holds."""
    if isinstance(node, dict):
        for name, value in node.items():
            for option, one in value.items() if options_of(str(name)) and isinstance(value, dict) else ():
                # An option `until` is no condition.
                yield from uses(one, place, target=options_of(name)[option]["type"])
            if not options_of(str(name)):
                yield from uses(value, place, str(name))
    elif isinstance(node, list):
        for one in node:
            yield from uses(one, place, key)
    elif isinstance(node, str) and key in CONDITIONS:
        yield Use("{{ " + node + " }}", place)
    elif isinstance(node, str) and ("{{" in node or "{%" in node):
        yield Use(node, place, target)


def everything() -> list[Use]:
    files = [*ROOT.glob("playbooks/*.yml"), *(path for role in ROLES for path in role.glob("[thv]*/**/*.yml"))]
    found = [use for path in files for use in uses(yaml.safe_load(path.read_text()), str(path.relative_to(ROOT)))]
    return found + [
        Use(path.read_text(), str(path.relative_to(ROOT))) for role in ROLES for path in role.glob("templates/*.j2")
    ]


def unconverted(use: Use) -> list[str]:
    """Variables that are not text and are used in an expression as if they could not be."""
    tree = Environment(autoescape=False).parse(use.source)
    converted = set()
    for one in tree.find_all(nodes.Filter):
        inner = one.node
        while isinstance(inner, nodes.Filter) and inner.name == "default":
            inner = inner.node
        if isinstance(inner, nodes.Name) and CONVERSIONS.get(TYPES.get(inner.name, "")) == one.name:
            converted.add(id(inner))
    alone = re.fullmatch(r"\{\{ [a-z0-9_]+ \}\}", use.source)
    texts: list[Any] = [*tree.find_all(nodes.Output), *tree.find_all(nodes.Concat)]
    for text in texts:
        # A number in a text is the text of it. A module that is given all of an expression converts it by its own type.
        for inner in text.nodes:
            kind = TYPES.get(inner.name, "") if isinstance(inner, nodes.Name) else ""
            given = (kind in ("bool", "int") and use.target == kind) or (kind == "int" and use.target == "raw")
            if kind and (given if alone else kind == "int"):
                converted.add(id(inner))
    names = [one for one in tree.find_all(nodes.Name) if one.name in TYPES]
    return [f"{use.place}: {one.name} is {TYPES[one.name]}" for one in names if id(one) not in converted]


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # regular expressions, as Ansible reads them
def test_whoever_uses_a_variable_converts_it() -> None:
    assert [problem for use in everything() for problem in unconverted(use)] == []


@pytest.mark.parametrize(
    ("source", "target", "right"),
    [
        ("{{ a if ollama_gateway_http3 }}", "", False),
        ("{{ a if ollama_gateway_http3 | bool }}", "", True),
        ("{% for a in ollama_gateway_upstreams %}{% endfor %}", "", False),
        ("{{ ollama_server_instances | default([]) | gatehouse.ollama.as_list | first }}", "", True),
        ("{{ ollama_gateway_http3 }}", "bool", True),
        ("{{ ollama_gateway_http3 }}", "raw", False),
        ("{{ ollama_gateway_http3 }}", "", False),
        ("{{ ollama_gateway_clients }}", "list", False),
        ("{{ ollama_gateway_port > 1 }}", "", False),
        ("port {{ ollama_gateway_port }}", "", True),
    ],
)
def test_a_use_without_conversion_is_found(source: str, target: str, right: bool) -> None:
    assert (unconverted(Use(source, "x", target)) == []) is right


# What tasks register before, as far as variables and templates need it.
REGISTERED: dict[str, Any] = {
    "inventory_hostname": "host",
    "inventory_dir": "/inventory",
    "ansible_managed": "managed",
    "ansible_check_mode": False,
    "ansible_facts": {},
    "groups": {},
    "__docker_engine_host": {"family": "apt", "distribution": "Debian", "release": "13", "installed": {}},
    "__nvidia_runtime_host": {"family": "apt", "installed": {}},
    "__ollama_server_plan": {"instances": [], "images": []},
    "__ollama_server_accelerators": {"servers": {}},
}
SETTINGS: list[dict[str, Any]] = [
    {},
    {"ollama_gateway_tls": "acme", "ollama_gateway_auth": "basic", "ollama_server_egress": "registry"},
]


class Role:
    """What a role makes of its variables: those of its own and its templates, each by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loader = DataLoader()
        self.loader.set_basedir(str(path))
        self.known: dict[str, Any] = dict(REGISTERED, ansible_search_path=[str(path)])
        files = [path / "defaults/main.yml", *sorted(path.glob("vars/main/*.yml"))]
        for file in [*files, path / "vars/main.yml"]:
            self.known |= self.loader.load_from_file(str(file), trusted_as_template=True) if file.exists() else {}
        self.sources = {name: str(value) for name, value in self.known.items() if name.startswith("__")}
        self.sources |= {one.name: one.read_text() for one in path.glob("templates/*.j2")}

    def dependents(self, name: str) -> list[str]:
        """All that is made of a variable, also by way of others."""
        found: dict[str, None] = {}
        names = [name]
        while names:
            word = re.compile(rf"(?<!\w){re.escape(names.pop())}(?!\w)")
            more = [one for one, source in self.sources.items() if word.search(source) and one not in found]
            found |= dict.fromkeys(more)
            names += more
        # Each template is rendered for itself.
        return [one for one in found if not one.endswith("_configuration")]

    def made(self, names: list[str], **variables: Any) -> dict[str, Any]:
        templar = Templar(loader=self.loader, variables=self.known | variables)
        results: dict[str, Any] = {}
        for name in names:
            source = self.sources[name] if name.endswith(".j2") else "{{ " + name + " }}"
            try:
                results[name] = templar.template(trust_as_template(source))
            except AnsibleError as error:
                results[name] = str(error)
        return results


@functools.cache
def role(path: Path) -> Role:
    return Role(path)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile each text once, and let templates share variables that none of them changes: a fifth of the time."""
    compiled: dict[tuple[str, bool], Any] = {}
    compile_it = Environment.compile

    def compile_once(self: Environment, source: str, name: Any = None, *more: Any, **options: Any) -> Any:
        key = (str(source), self.trim_blocks)
        if key not in compiled:
            compiled[key] = compile_it(self, source, name, *more, **options)
        return compiled[key]

    monkeypatch.setattr(Environment, "compile", compile_once)
    lookup = sys.modules[type(lookup_loader.get("ansible.builtin.template")).__module__]
    monkeypatch.setattr(lookup, "deepcopy", dict)


VARIABLE = "ollama_gateway_allow_account_routes"


@pytest.mark.parametrize(
    ("options", "hosts", "opened"),
    [
        (["-e", f"{VARIABLE}=false"], {"here": ""}, set()),
        (["-e", f"{VARIABLE}=true"], {"here": ""}, {"here"}),
        (
            [],
            {
                "no": f"{VARIABLE}=no",
                "yes": f"{VARIABLE}=True",
                "environment": VARIABLE + "=\"{{ lookup('env', 'OPEN_THEM') }}\"",
            },
            {"yes"},
        ),
    ],
    ids=["-e false", "-e true", "INI and environment"],
)
def test_account_routes_are_open_only_where_the_text_says_so(
    playbook: Playbook, options: list[str], hosts: dict[str, str], opened: set[str]
) -> None:
    """With the real command line and inventory, and the role's own variables."""
    role = {"name": "gatehouse.ollama.ollama_gateway", "tasks_from": "summary", "public": True}
    content = "{{ __ollama_gateway_served_routes | map(attribute='scope') | unique | to_json }}"
    report = {"content": content, "dest": str(playbook.folder / "{{ inventory_hostname }}.json")}
    tasks: list[dict[str, Any]] = [{"ansible.builtin.include_role": role}, {"report": report}]
    (playbook.folder / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    connection = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
    (playbook.folder / "hosts.ini").write_text("".join(f"{host} {connection} {ini}\n" for host, ini in hosts.items()))
    command = [sys.executable, "-m", "ansible", "playbook", "play.yml", "-i", "hosts.ini", *options]
    environment = {**playbook.environment(), "OPEN_THEM": "off"}
    done = subprocess.run(command, cwd=playbook.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    scopes = {host: json.loads((playbook.folder / f"{host}.json").read_text()) for host in hosts}
    assert {host for host, names in scopes.items() if "account" in names} == opened


@pytest.mark.parametrize(
    ("path", "name", "kind"),
    [(path, name, kind) for path in ROLES for name, kind in types(path).items()],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.usefixtures("quick")
def test_text_makes_the_same_as_yaml(path: Path, name: str, kind: str) -> None:
    here = role(path)
    dependents = here.dependents(name)
    for number, settings in enumerate(SETTINGS if dependents else []):
        for value, texts in SPELLINGS[kind][: 1 if number else None]:
            # With each setting another text.
            text = texts[number % len(texts)]
            expected = here.made(dependents, **settings, **{name: value})
            assert here.made(dependents, **settings, **{name: text}) == expected, text
