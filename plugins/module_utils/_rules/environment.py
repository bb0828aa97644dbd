# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of a server: names that Ollama knows, those that are the role's, and settings that have names."""

from __future__ import annotations

import difflib
import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems

PREFIX = "ollama_server_"
# What Ollama says of itself when it starts ("server config", versions 0.17 to 0.33).
KNOWN = tuple(
    "OLLAMA_" + name
    for name in (
        "CONTEXT_LENGTH",
        "DEBUG",
        "DEBUG_LOG_REQUESTS",
        "EDITOR",
        "FLASH_ATTENTION",
        "GO_TEMPLATE",
        "GPU_OVERHEAD",
        "HOST",
        "IGPU_ENABLE",
        "KEEP_ALIVE",
        "KV_CACHE_TYPE",
        "LLM_LIBRARY",
        "LOAD_TIMEOUT",
        "MAX_LOADED_MODELS",
        "MAX_QUEUE",
        "MAX_TRANSFER_STREAMS",
        "MODELS",
        "MULTIUSER_CACHE",
        "NEW_ENGINE",
        "NOHISTORY",
        "NOPRUNE",
        "NO_CLOUD",
        "NUM_PARALLEL",
        "ORIGINS",
        "REMOTES",
        "SCHED_SPREAD",
        "VULKAN",
    )
)
# Why the role alone sets them, and what a user can do.
OWN = {
    "OLLAMA_HOST": (
        "is set by the role, so that the server listens on its private network alone. Leave it out; "
        "ollama_server_publish opens a port for users of the host"
    ),
    "OLLAMA_MODELS": (
        "is set by the role: the models are in its Docker volume. Leave it out; ollama_server_models_dir puts them "
        "into a folder"
    ),
    "HOME": "is set by the role: nothing else in the container can be written to. Leave it out",
    "NVIDIA_VISIBLE_DEVICES": "is set by the role. Leave it out; ollama_server_devices chooses GPUs",
}
# What chooses GPUs in the environment, by accelerator. With nvidia the container holds no others.
CHOOSERS = {"amd": "ROCR_VISIBLE_DEVICES", "vulkan": "GGML_VK_VISIBLE_DEVICES"}

# Docker's client adds these to every container where root's configuration names proxies, unless they are given.
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY")
_NO_PROXY = ("NO_PROXY", "no_proxy")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_DURATION = re.compile(r"-?(\d{1,9}|(\d{1,9}(h|m|s))+)\Z", re.ASCII)
_MOST = 2**31


class Setting(t.NamedTuple):
    """A variable of the role that stands for one of Ollama's. `read` returns its text, and what would be right."""

    variable: str
    name: str
    read: t.Callable[[object], t.Tuple[str, str]]


def _count(value: object) -> tuple[str, str]:
    right = "a whole number, or 0 for Ollama's own choice"
    text = str(value)
    if isinstance(value, bool) or not re.match(r"\d{1,18}\Z", text, re.ASCII):
        return "", right
    return ("" if int(text) == 0 else str(int(text))), ""


def _duration(value: object) -> tuple[str, str]:
    right = 'a duration such as "90s", "5m" or "1h30m", "-1" for ever, or empty for Ollama\'s own choice'
    text = str(value)
    return (text, "") if text == "" or _DURATION.match(text) else ("", right)


def _switch(value: object) -> tuple[str, str]:
    text = str(value).lower()
    if text == "":
        return "", ""
    # YAML takes all of these for booleans; the command line gives them as text.
    if text in ("true", "yes", "on"):
        return "1", ""
    if text in ("false", "no", "off"):
        return "0", ""
    return "", "true, false, or empty for Ollama's own choice"


SETTINGS = (
    Setting(PREFIX + "keep_alive", "OLLAMA_KEEP_ALIVE", _duration),
    Setting(PREFIX + "num_parallel", "OLLAMA_NUM_PARALLEL", _count),
    Setting(PREFIX + "max_loaded_models", "OLLAMA_MAX_LOADED_MODELS", _count),
    Setting(PREFIX + "max_queue", "OLLAMA_MAX_QUEUE", _count),
    Setting(PREFIX + "context_length", "OLLAMA_CONTEXT_LENGTH", _count),
    Setting(PREFIX + "flash_attention", "OLLAMA_FLASH_ATTENTION", _switch),
    Setting(PREFIX + "kv_cache_type", "OLLAMA_KV_CACHE_TYPE", lambda value: (str(value), "")),
    Setting(PREFIX + "load_timeout", "OLLAMA_LOAD_TIMEOUT", _duration),
    Setting(PREFIX + "gpu_overhead", "OLLAMA_GPU_OVERHEAD", _count),
)


def read_settings(arguments: t.Mapping[str, object], problems: Problems) -> dict[str, str]:
    """The environment that the named settings stand for."""
    environment = {}
    for setting in SETTINGS:
        text, right = setting.read(arguments[setting.variable[len(PREFIX) :]])
        if right:
            problems.add(setting.variable, f"it must be {right}")
        elif text:
            environment[setting.name] = text
    return environment


def read_environment(value: object, place: str, problems: Problems) -> dict[str, str]:
    """The entries as texts. Values may be secret, and are in no message."""
    if not isinstance(value, dict):
        problems.add(place, "it must be a dictionary, such as {HTTPS_PROXY: http://proxy.example.com:3128}")
        return {}
    environment = {}
    wrong = [
        name for name, one in value.items() if not _NAME.match(str(name)) or not isinstance(one, (str, int, float))
    ]
    if wrong:
        names = ", ".join(str(name) for name in wrong)
        right = "with a string, a number or a boolean as its value"
        problems.add(place, f"{names} must each be the name of an environment variable, {right}")
    for name, one in value.items():
        if name in OWN:
            problems.add(place, f"{name} {OWN[name]}")
        elif name not in wrong:
            environment[str(name)] = str(one).lower() if isinstance(one, bool) else str(one)
    return environment


def proxies(environment: t.Mapping[str, str], own: t.Sequence[str]) -> dict[str, str]:
    """Every variable of proxies, as it was asked for or empty: what is left out, others may add.

    The names `own` are the server's: Ollama's command in the container reaches the server by them, not by a proxy.
    """
    names = [*_PROXIES, *(name.lower() for name in _PROXIES)]
    asked = environment.get(_NO_PROXY[0]) or environment.get(_NO_PROXY[1]) or ""
    around = [one.strip() for one in asked.split(",") if one.strip()] + ["localhost", "127.0.0.1", *own]
    found = {name: environment.get(name, "") for name in names}
    return {**found, **dict.fromkeys(_NO_PROXY, ",".join(dict.fromkeys(around)))}


def judge_contradictions(
    environment: t.Mapping[str, str], named: t.Mapping[str, str], place: str, problems: Problems
) -> None:
    """Entries that say something else than the variable of the role with the same meaning."""
    for setting in SETTINGS:
        says = named.get(setting.name)
        if says is not None and environment.get(setting.name, says) != says:
            problems.add(place, f"{setting.name} contradicts {setting.variable}, which says {says}. Leave it out here")


def judge_cache(environment: t.Mapping[str, str], place: str, problems: Problems) -> None:
    """A quantized cache without what it needs."""
    kind = environment.get("OLLAMA_KV_CACHE_TYPE", "f16")
    flash = environment.get("OLLAMA_FLASH_ATTENTION", "")
    if kind not in ("", "f16") and flash.lower() not in ("1", "t", "true"):
        need = f"a cache of type {kind} needs {PREFIX}flash_attention: true"
        problems.add(place, f"{need}; without, Ollama keeps f16. Set it, or leave the type out")


def unknown(environment: t.Iterable[str], place: str) -> list[str]:
    """A warning for each name that looks like one of Ollama's and is none, with the nearest that is."""
    warnings = []
    for name in environment:
        if name.startswith("OLLAMA_") and name not in KNOWN:
            nearest = difflib.get_close_matches(name, KNOWN, n=1)
            meant = f"; is {nearest[0]} meant?" if nearest else ""
            warnings.append(f"{place}: {name} is no variable that Ollama is known to read{meant}")
    return warnings
