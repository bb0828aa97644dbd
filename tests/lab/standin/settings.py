# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the environment says: Ollama's own variables, and those of the stand-in."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping, NamedTuple
from urllib.parse import urlsplit

DEFAULT_PORT = 11434
DEFAULT_VERSION = "0.32.15"
FOREVER = float("inf")

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as 1h30m, or of a bare number; a negative one means forever."""
    body = text.strip()
    if re.fullmatch(r"[+-]?\d+", body):
        seconds = float(body)
    elif re.fullmatch(r"[+-]?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+", body):
        parts = re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", body)
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        seconds = -seconds if body.startswith("-") else seconds
    else:
        raise ValueError(f'time: invalid duration "{text}"')
    return FOREVER if seconds < 0 else seconds


class Endpoint(NamedTuple):
    """What OLLAMA_HOST says; the address is empty where all are meant."""

    host: str
    port: int
    scheme: str = "http"
    # In front of every path, for the command.
    path: str = ""


def parse_host(text: str) -> Endpoint:
    text = text.strip().strip("\"'")
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    default = {"http": 80, "https": 443}.get(scheme, DEFAULT_PORT)
    authority, _, path = rest.partition("/")
    host, port = _address(authority, default)
    return Endpoint(host, port, scheme or "http", "/" + path.strip("/") if path.strip("/") else "")


def _address(authority: str, default: int) -> tuple[str, int]:
    if not authority:
        return "127.0.0.1", default
    try:
        return str(ipaddress.ip_address(authority.strip("[]"))), default
    except ValueError:
        pass
    parts = urlsplit("//" + authority)
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.hostname or "", default if port is None else port


@dataclass(frozen=True)
class Settings:
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    models: Path = field(default_factory=lambda: Path.home() / ".ollama" / "models")
    origins: tuple[str, ...] = ()
    keep_alive: float = 300.0
    # How many models are loaded at once, 0 for any number, and how many requests wait for another one to leave.
    max_loaded: int = 0
    max_queue: int = 512
    # How many requests a model serves at once, 0 for any number.
    parallel: int = 0
    cloud_disabled: bool = False
    # HTTPS_PROXY and NO_PROXY.
    proxies: Mapping[str, str] = field(default_factory=dict)
    version: str = DEFAULT_VERSION
    registry: str = ""
    token_delay: float = 0.002
    load_seconds: float = 0.0
    vram_share: float = 0.0
    request_log: Path | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        host, port, *_ = parse_host(environ.get("OLLAMA_HOST", ""))
        log = environ.get("STANDIN_REQUEST_LOG", "")
        return cls(
            host=host,
            port=port,
            models=Path(environ.get("OLLAMA_MODELS") or Path.home() / ".ollama" / "models"),
            origins=tuple(part.strip() for part in environ.get("OLLAMA_ORIGINS", "").split(",") if part.strip()),
            keep_alive=parse_duration(environ.get("OLLAMA_KEEP_ALIVE") or "5m"),
            max_loaded=int(environ.get("OLLAMA_MAX_LOADED_MODELS") or 0),
            max_queue=int(environ.get("OLLAMA_MAX_QUEUE") or 512),
            parallel=int(environ.get("OLLAMA_NUM_PARALLEL") or 0),
            cloud_disabled=environ.get("OLLAMA_NO_CLOUD", "").lower() in ("1", "t", "true"),
            proxies={name: environ.get(name) or environ.get(name.lower(), "") for name in ("HTTPS_PROXY", "NO_PROXY")},
            version=environ.get("STANDIN_VERSION") or DEFAULT_VERSION,
            registry=environ.get("STANDIN_REGISTRY", "").rstrip("/"),
            token_delay=float(environ.get("STANDIN_TOKEN_DELAY_MS") or 2) / 1000,
            load_seconds=float(environ.get("STANDIN_LOAD_SECONDS") or 0),
            vram_share=float(environ.get("STANDIN_VRAM_SHARE") or 0),
            request_log=Path(log) if log else None,
        )
