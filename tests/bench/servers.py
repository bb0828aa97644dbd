# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured and what it is measured against: gateways, open proxies and an upstream, with one worker each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.component import rendering
from tests.component.gateways import KEYS, PASSWORDS, Gateway, basic

FOLDER = Path(__file__).resolve().parent
# In nginx.conf, what says where the upstreams are; in proxy.conf, how a request goes to one.
UPSTREAM = re.compile(r"^    (?:resolver.*;|(?:split_clients|upstream) .*\{\n(?:.*\n)*?    \})$", re.MULTILINE)
PROXY = re.compile(r"^proxy_.*;$", re.MULTILINE)

# Both clients have one key. Alice may do everything but change models; bob may use some models only.
ALICE = {"Authorization": "Bearer " + KEYS["alice.laptop"]}
BOB = {"Authorization": "Bearer " + KEYS["bob.ci"]}
ALICE_BASIC = {"Authorization": basic("alice", PASSWORDS["alice"])}
MODEL = "llama3.2:3b"


class Upstream(Gateway):
    """Faster than any proxy in front of it; reached by address, so that no name is looked up."""

    def configure(self, **variables: Any) -> None:
        text = (FOLDER / "upstream.conf").read_text(encoding="utf-8")
        self.put(self.folder / "conf" / "nginx.conf", text.replace("@listen@", self.address))


class OpenProxy(Gateway):
    """The same image and container as the gateway of this kind; whoever asks is served."""

    def configure(self, **variables: Any) -> None:
        text = (FOLDER / "open_proxy.conf").read_text(encoding="utf-8")
        parts = {
            "listen": self.address,
            "upstream": "\n".join(UPSTREAM.findall(rendering.render("nginx.conf.j2", **self.variables))),
            "proxy": "\n".join(PROXY.findall(rendering.render("proxy.conf.j2", **self.variables))),
        }
        assert parts["upstream"], "nginx.conf.j2 no longer says where the upstreams are"
        assert "proxy_pass" in parts["proxy"], "proxy.conf.j2 no longer says how a request goes on"
        for name, part in parts.items():
            text = text.replace(f"@{name}@", part)
        self.put(self.folder / "conf" / "nginx.conf", text)


def gateway(folder: Path, auth: str, upstream: Upstream) -> Gateway:
    """The role's gateway, with the clients above."""
    server = Gateway(folder, auth, upstream.address, workers="1")
    scopes = ["inference", "models_read"]
    server.allow({"alice": scopes, "bob": scopes}, {"bob": ["llama3.2:*", "qwen3:*", "nomic-embed-text"]})
    return server
