# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/routes.md from the route table: python -m tests.routes_page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "roles/ollama_gateway/vars/main/routes.yml"
PAGE = ROOT / "docs/routes.md"
SCOPES = {
    "any": "every client",
    "inference": "`inference`",
    "models_read": "`models_read`",
    "models_write": "`models_write`",
    "metrics": "`metrics`",
    "account": "`admin`, where `ollama_gateway_allow_account_routes` is true",
}
BODIES = {"small": "1 MiB", "inference": "`ollama_gateway_max_body_size`", "upload": "any"}
HEAD = """# Routes

What of Ollama's API the gateway answers, and what a client needs for it. Whatever is not here is answered with 404, in
every spelling of a path that is not exactly the one below. A client with `admin` has every other scope too.

Besides, OpenResty and nginx answer `/healthz` to anybody. OpenResty serves the files of its page below `/gatehouse/` to
anybody, unless `ollama_gateway_page` is false, and takes keys with `in_path` in `/key/<key>` before `/`, `/api/…` and
`/v1/…`.

Written by `make docs` from `roles/ollama_gateway/vars/main/routes.yml`.

| method | path | who may | streams | largest body |
| --- | --- | --- | --- | --- |
"""
LIMITED = """
## With a list of models

A client that may use some models only gets 403 for a body that names another one, and for what is not named here: it
could bring in other models, such as files by their digest, another host, or what a newer server takes.

| method | path | what such a client may send |
| --- | --- | --- |
"""


def routes() -> list[dict[str, Any]]:
    """The table as it is written down."""
    table: list[dict[str, Any]] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))["__ollama_gateway_routes"]
    return table


def render() -> str:
    """The page."""
    rows = ""
    for route in routes():
        stream = f" {route['stream']} " if route["stream"] else " "
        who = SCOPES[route["scope"]] + (", on OpenResty" if route.get("own") else "")
        rows += f"| {route['method']} | `{route['path']}` | {who} |{stream}| {BODIES[route['body']]} |\n"
    return HEAD + rows + LIMITED + "".join(_limited(route) for route in routes())


def _limited(route: dict[str, Any]) -> str:
    """The row about clients that may use some models only, if there is a rule for them."""
    if route["model"] == "digest":
        allowed = "nothing"
    elif "only" in route:
        allowed = ", ".join(f"`{member}`" for member in (*route["fields"], *route["only"]))
    else:
        return ""
    return f"| {route['method']} | `{route['path']}` | {allowed} |\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
