# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured and what it is measured against: gateways, open proxies and an upstream, with one worker each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.component import rendering
from tests.component.gateways import KEYS, PASSWORDS, Gateway, basic

FOLDER = Path(__file__).resolve().parent
# In nginx.conf, what says where the upstreams are; in proxy.conf, how a request goes to one.
UPSTREAM = re.compile(r"^    (?:resolver.*;|(?:split_clients|upstream) .*\{\n(?:.*\n)*?    \})$", re.MULTILINE)
# And what is logged, and how.
LOG = re.compile(
    r"^    (?:map \S+ \$(?:log_|gatehouse_path ).*|map \S+ \$gatehouse_unknown_path \{\n(?:.*\n)+?    \}"
    r"|log_format (?:.*\n)+?.*;|access_log .*;)$",
    re.MULTILINE,
)
PROXY = re.compile(r"^proxy_.*;$", re.MULTILINE)

# Both clients have one key. Alice may do everything but change models; bob may use some models only.
ALICE = {"Authorization": "Bearer " + KEYS["alice.laptop"]}
BOB = {"Authorization": "Bearer " + KEYS["bob.ci"]}
ALICE_BASIC = {"Authorization": basic("alice", PASSWORDS["alice"])}
ALICE_KEY = KEYS["alice.laptop"]
MODEL = "llama3.2:3b"


def chat(size: int, *, stream: bool = True) -> bytes:
    """A chat of exactly `size` bytes."""
    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": ""}]
    text = {"model": MODEL, "messages": messages, "stream": stream}
    words = "Why is the sky blue? " * (size // 20)
    messages[1]["content"] = words[: size - len(json.dumps(text))]
    return json.dumps(text).encode()


CHAT = chat(2048)


class Upstream(Gateway):
    """Faster than any proxy in front of it; reached by address, so that no name is looked up."""

    configuration = "upstream.conf"

    def configure(self, **variables: Any) -> None:
        text = (FOLDER / self.configuration).read_text(encoding="utf-8")
        upstream = "".join(self.variables["ollama_gateway_upstreams"])
        self.put(
            self.folder / "conf" / "nginx.conf",
            text.replace("@listen@", self.address).replace("@upstream@", upstream),
        )


# As the image of nginx logs; and as the gateway does, to whom nobody is known.
OWN_LOG = "    access_log /dev/stdout;"
NOBODY = [f'    map "" $gatehouse_{name} {{ default ""; }}' for name in ("client", "key", "route", "model", "body")]
NOBODY.append("    map $request_uri $gatehouse_uri { default $request_uri; }")


class OpenProxy(Gateway):
    """The same image and container as the gateway of this kind; whoever asks is served."""

    # Whether it logs as the gateway does.
    same_log = False

    def configure(self, **variables: Any) -> None:
        text = (FOLDER / "open_proxy.conf").read_text(encoding="utf-8")
        nginx = rendering.render("nginx.conf.j2", **self.variables)
        log = LOG.findall(nginx)
        assert len(log) > 2, "nginx.conf.j2 no longer says what is logged"
        parts = {
            "listen": self.address,
            "log": "\n".join([*NOBODY, *log]) if self.same_log else OWN_LOG,
            "upstream": "\n".join(UPSTREAM.findall(nginx)),
            "proxy": "\n".join(PROXY.findall(rendering.render("proxy.conf.j2", **self.variables))),
        }
        assert parts["upstream"], "nginx.conf.j2 no longer says where the upstreams are"
        assert "proxy_pass" in parts["proxy"], "proxy.conf.j2 no longer says how a request goes on"
        for name, part in parts.items():
            text = text.replace(f"@{name}@", part)
        self.put(self.folder / "conf" / "nginx.conf", text)


class SameLogProxy(OpenProxy):
    """An open proxy that logs as the gateway does: what is left is what the wall costs."""

    same_log = True


class BareProxy(OpenProxy):
    """A proxy that does nothing but pass on: it logs nothing either."""

    def configure(self, **variables: Any) -> None:
        super().configure(**variables)
        path = self.folder / "conf" / "nginx.conf"
        text = path.read_text(encoding="utf-8")
        assert OWN_LOG in text
        self.put(path, text.replace(OWN_LOG, "    access_log off;"))


class Guide(Upstream):
    """The guide's way to check keys."""

    configuration = "guide.conf"


def gateway(folder: Path, auth: str, upstream: Upstream, **variables: Any) -> Gateway:
    """The role's gateway, with the clients above."""
    server = Gateway(folder, auth, upstream.address, workers="1", **variables)
    scopes = ["inference", "models_read"]
    server.allow({"alice": scopes, "bob": scopes}, {"bob": ["llama3.2:*", "qwen3:*", "nomic-embed-text"]})
    return server
