# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the role ollama_server mean together: its problems, or the servers to run."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._errors import Problems
from ansible_collections.gatehouse.ollama.plugins.module_utils._models import models_dir
from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import read_models
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import common, door
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.environment import (
    CHOOSERS,
    PREFIX,
    judge_cache,
    judge_contradictions,
    proxies,
    read_environment,
    read_settings,
    unknown,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.image import (
    DEFAULT_IMAGE,
    for_accelerator,
    version_problem,
)
from ansible_collections.gatehouse.ollama.plugins.module_utils._text.addresses import is_address

Dict = t.Dict[str, t.Any]

ACCELERATORS = ("cpu", "nvidia", "amd", "vulkan")
SERVICE = "ollama"
# Where the container has its volume of models, or a folder in its place.
HOME = "/home/ollama"
PARTS = ("name", "accelerator", "devices", "environment", "memory_limit", "cpu_limit")

# An SNI is a host name of letters, digits and hyphens (RFC 6066, section 3), never an address.
_HOST = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_INSTANCE = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\Z")
_DEVICES = {
    "nvidia": re.compile(r"(GPU|MIG)-[0-9A-Za-z/-]{4,}\Z"),
    "amd": re.compile(r"(\d{1,3}|GPU-[0-9A-Za-z]{4,})\Z", re.ASCII),
    "vulkan": re.compile(r"\d{1,3}\Z", re.ASCII),
}
_RIGHT_DEVICES = {
    "nvidia": "UUIDs of GPUs such as GPU-9c2e…, which `nvidia-smi -L` lists; numbers may change with every start",
    "amd": "numbers of GPUs, or UUIDs such as GPU-a1b2…, which `rocminfo` lists",
    "vulkan": "numbers of GPUs in the order of `vulkaninfo --summary`, such as 0",
}


class Servers(t.NamedTuple):
    """The servers to run, and what is to be said about them."""

    instances: t.List[Dict]
    warnings: t.List[str]
    # Images of which no tag tells the version.
    unversioned: t.List[str]
    # The services that keep the models: one for all, who share them; each, where some are to be loaded.
    model_services: t.List[str]


def check(values: t.Mapping[str, t.Any], controller: common.Controller) -> common.Checked:
    if values["state"] == "absent":
        # What is removed need not be right in itself.
        return common.Checked(
            place_problems(values), result={**_plan(Servers([], [], [], [])), **door.plan(values, [])}
        )
    problems = Problems()
    servers = read(values, problems)
    door.judge(values, len(servers.instances), controller, problems)
    warnings = servers.warnings + door.warnings(values)
    # Of values that are wrong nothing can be made.
    plan = {**_plan(servers), **door.plan(values, [] if problems else servers.instances)}
    return common.Checked(Problems(dict.fromkeys(problems)), warnings, plan)


def _plan(servers: Servers) -> Dict:
    """What the role's tasks go by."""
    return {
        "instances": servers.instances,
        "accelerators": [
            {**{name: one[name] for name in ("service", "accelerator", "devices")}, "place": one["devices_place"]}
            for one in servers.instances
        ],
        "images": list(dict.fromkeys(one["image"] for one in servers.instances)),
        "unversioned": servers.unversioned,
        "model_services": servers.model_services,
    }


def read(arguments: t.Mapping[str, t.Any], problems: Problems) -> Servers:
    """The servers that the variables, named without their prefix, describe."""
    problems += place_problems(arguments)
    named = read_settings(arguments, problems)
    general = read_environment(arguments["environment"], PREFIX + "environment", problems)
    judge_contradictions(general, named, PREFIX + "environment", problems)
    problems += common.wrong(PREFIX, _limits(arguments))
    problems += common.wrong(PREFIX, {"image": common.image(arguments["image"], DEFAULT_IMAGE)})
    drafts = _drafts(arguments, problems)
    warnings = unknown(general, PREFIX + "environment")
    instances: list[Dict] = []
    seen: dict[str, str] = {}
    for position, draft in enumerate(drafts):
        place, own = draft["place"], draft["environment"]
        warnings += unknown(own, place + ".environment") if own else []
        environment = {"OLLAMA_NO_CLOUD": "1", **named, **general, **own}
        image, problem = for_accelerator(arguments["image"], draft["accelerator"])
        problems += [problem] if problem and common.is_pinned(image) else []
        _judge_devices(draft, problems)
        judge_cache(environment, place if own else PREFIX + "kv_cache_type", problems)
        _judge_choosers(draft, {**general, **own}, problems)
        if arguments["require_gpu"] and draft["accelerator"] == "cpu":
            text = f"{place} computes on the CPU; choose nvidia, amd or vulkan, or leave require_gpu false"
            problems.add(PREFIX + "require_gpu", text)
        for device in draft["devices"] if draft["accelerator"] == "nvidia" else []:
            if device in seen:
                warnings.append(f"{place}: the GPU {device} is used by {seen[device]} as well; they share its memory")
            seen[device] = place
        instances.append(_instance(arguments, draft, image, environment, position))
    _judge_egress(arguments, [general, *(draft["environment"] for draft in drafts)], problems)
    images = dict.fromkeys(one["image"] for one in instances) if common.is_pinned(arguments["image"]) else {}
    versions = {image: version_problem(image, arguments["minimum_version"]) for image in images}
    problems += [problem for _known, problem in versions.values() if problem]
    unversioned = [image for image, (known, _problem) in versions.items() if not known]
    models, wrong = read_models(arguments["models"], PREFIX + "models")
    problems += wrong
    services = [str(one["service"]) for one in instances]
    keepers = services if any(one.keep_alive is not None for one in models) else services[:1]
    return Servers(instances, warnings, unversioned, keepers)


def place_problems(arguments: t.Mapping[str, t.Any]) -> Problems:
    """What is wrong with the folder, the network, the published address and the user."""
    published = (
        "a loopback address and a port, such as 127.0.0.1:11434, or empty: another address would let everybody who "
        "reaches it use Ollama without a credential. Clients on other machines come through a gateway"
    )
    rights = {
        "dir": common.folder(arguments["dir"], "/opt/gatehouse/ollama"),
        "models_dir": models_dir.path_problem(arguments["models_dir"], arguments["dir"])
        if arguments["models_dir"]
        else None,
        "network": common.network(arguments["network"]),
        "publish": None if _can_be_published(arguments["publish"]) else published,
        "user_id": common.count(arguments["user_id"], "0 for root, or a number such as 60881"),
    }
    return common.wrong(PREFIX, rights)


def _can_be_published(text: str) -> bool:
    found = door.PUBLISH.match(text)
    return not text or bool(found and is_address(found["host"].strip("[]")) and 1 <= int(found["port"]) <= 65535)


def _drafts(arguments: t.Mapping[str, t.Any], problems: Problems) -> list[Dict]:
    """Each instance with what it does not say for itself; one without a name where there are none."""
    accelerator = arguments["accelerator"]
    shared: Dict = {
        "memory_limit": arguments["memory_limit"],
        "cpu_limit": arguments["cpu_limit"],
        "environment": {},
        "accelerator": accelerator,
    }
    devices = _device_list(arguments["devices"], PREFIX + "devices", problems)
    entries = arguments["instances"]
    if not entries:
        draft = {**shared, "name": "", "place": PREFIX + "accelerator", "devices": devices}
        return [{**draft, "devices_place": PREFIX + "devices"}]
    drafts: list[Dict] = []
    for number, entry in enumerate(entries):
        place = f"{PREFIX}instances[{number}]"
        if not isinstance(entry, dict):
            problems.add(place, "it must be a dictionary with a name, such as {name: gpu0, devices: [GPU-9c2e…]}")
            continue
        name = str(entry.get("name", ""))
        if not _INSTANCE.match(name) or name.endswith("listen"):
            right = "lowercase letters, digits and hyphens, such as gpu0, and not end with listen"
            problems.add(place, f"the name must have {right}")
        elif name in [one["name"] for one in drafts]:
            problems.add(place, "the name is there twice; names are unique")
        place = f"{place} ({name})" if name else place
        unknown_parts = sorted(str(part) for part in entry if part not in PARTS)
        if unknown_parts:
            problems.add(place, f"{', '.join(unknown_parts)} is no part of an instance; it may have {', '.join(PARTS)}")
        own = {part: entry[part] for part in ("memory_limit", "cpu_limit") if part in entry}
        problems += common.wrong(place + ".", _limits(own))
        environment = read_environment(entry.get("environment") or {}, place + ".environment", problems)
        kind = entry.get("accelerator", accelerator)
        if kind not in ACCELERATORS:
            problems.add(f"{place}.accelerator", f"it must be one of {', '.join(ACCELERATORS)}")
        if "devices" in entry:
            devices_place = f"{place}.devices"
            chosen = _device_list(entry["devices"], devices_place, problems)
        else:
            chosen, devices_place = (devices if kind == accelerator else []), PREFIX + "devices"
        draft = {**shared, **{part: str(value) for part, value in own.items()}, "name": name, "place": place}
        draft.update(environment=environment, accelerator=kind, devices=chosen, devices_place=devices_place)
        drafts.append(draft)
    return drafts


def _device_list(value: object, place: str, problems: Problems) -> list[str]:
    if not isinstance(value, list) or any(isinstance(one, bool) or not isinstance(one, (str, int)) for one in value):
        problems.add(place, "it must be a list, such as [GPU-9c2e…] or [0, 1]; empty for all GPUs")
        return []
    devices = [str(one) for one in value]
    for one in sorted({one for one in devices if devices.count(one) > 1}):
        problems.add(place, f"{one} is there twice")
    return devices


def _judge_devices(draft: Dict, problems: Problems) -> None:
    kind, devices, place = draft["accelerator"], draft["devices"], draft["devices_place"]
    pattern = _DEVICES.get(kind)
    wrong = [one for one in devices if pattern and not pattern.match(one)]
    if kind == "cpu" and devices:
        choice = "choose nvidia, amd or vulkan, or leave them out"
        problems.add(place, f"there are GPUs, and the accelerator is cpu; {choice}")
    elif wrong:
        text = f"{', '.join(wrong)} cannot be with the accelerator {kind}, which takes {_RIGHT_DEVICES[kind]}"
        problems.add(place, text)


def _judge_choosers(draft: Dict, environment: t.Mapping[str, str], problems: Problems) -> None:
    name = CHOOSERS.get(draft["accelerator"])
    if name in environment and draft["devices"]:
        problems.add(draft["devices_place"], f"{name} in the environment contradicts it; leave it out")
    if draft["accelerator"] == "vulkan" and environment.get("OLLAMA_VULKAN", "1").lower() not in ("1", "t", "true"):
        text = "OLLAMA_VULKAN in the environment contradicts the accelerator vulkan; leave it out"
        problems.add(draft["place"], text)


def _limits(values: t.Mapping[str, t.Any]) -> dict[str, str | None]:
    return {
        "memory_limit": common.memory(values.get("memory_limit", "")),
        "cpu_limit": common.cpus(values.get("cpu_limit", "")),
    }


def _instance(arguments: t.Mapping[str, t.Any], draft: Dict, image: str, environment: Dict, position: int) -> Dict:
    """A server as the template of the Compose project takes it."""
    kind, devices = draft["accelerator"], draft["devices"]
    service = "%s-%s" % (SERVICE, draft["name"]) if draft["name"] else SERVICE
    listen = service + "-listen"
    # One that is published is reached from the other network as well. There is one address, which the first has.
    publish = arguments["publish"] if position == 0 else ""
    environment = {**environment, "OLLAMA_HOST": "0.0.0.0:11434" if publish else listen + ":11434"}
    aliases = list(dict.fromkeys([SERVICE, service, listen]))
    environment.update(proxies(environment, aliases))
    # A folder of the user's has the models at its top, a volume below, as they were before there were such folders.
    below = "" if arguments["models_dir"] else "/models"
    environment.update(HOME=HOME, OLLAMA_MODELS=HOME + "/.ollama" + below)
    if position > 0:
        # All have one folder of models. What one is downloading, another would take for rubbish when it starts.
        environment["OLLAMA_NOPRUNE"] = "1"
    if kind == "nvidia":
        environment["NVIDIA_VISIBLE_DEVICES"] = ",".join(devices) or "all"
    else:
        # The image asks for all of them, which counts where NVIDIA's runtime is the engine's default.
        environment["NVIDIA_VISIBLE_DEVICES"] = "void"
    if kind == "vulkan":
        environment["OLLAMA_VULKAN"] = "1"
    if kind in CHOOSERS and devices:
        environment[CHOOSERS[kind]] = ",".join(devices)
    return {
        "name": draft["name"] or SERVICE,
        "service": service,
        "aliases": aliases,
        "image": image,
        "accelerator": kind,
        "devices": devices,
        "devices_place": draft["devices_place"],
        "environment": environment,
        "publish": publish,
        "memory_limit": str(draft["memory_limit"]),
        "cpu_limit": str(draft["cpu_limit"]),
    }


def _judge_egress(
    arguments: t.Mapping[str, t.Any], environments: t.Sequence[t.Mapping[str, str]], problems: Problems
) -> None:
    """Where the servers, which have these environments, may connect to."""
    egress, hosts = arguments["egress"], arguments["egress_hosts"]
    if not hosts:
        problems.add(PREFIX + "egress_hosts", "it must be a list of host names, such as [registry.ollama.ai]")
    for number, host in enumerate(hosts):
        if not isinstance(host, str) or not _HOST.match(host):
            text = "it must be a host name in small letters, such as registry.ollama.ai"
            problems.add(f"{PREFIX}egress_hosts[{number}]", text)
    image = common.image(arguments["egress_image"], "docker.io/openresty/openresty:1.31.1.1-bookworm")
    problems += common.wrong(PREFIX, {"egress_image": image})
    if egress == "any":
        return
    if arguments["publish"]:
        text = f"it needs {PREFIX}egress any, for a published port comes in through the network that leads out"
        problems.add(PREFIX + "publish", text)
    for name in sorted({name for one in environments for name in one if name.upper() in _PROXIES}):
        text = f"it is {egress}, and {name} in the environment names a proxy that cannot be reached then; leave one out"
        problems.add(PREFIX + "egress", text)
