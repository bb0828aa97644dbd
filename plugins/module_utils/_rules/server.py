# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of the role ollama_server mean together: its problems, or the servers to run."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gatehouse.ollama.plugins.module_utils._models.options import read_models
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules import common
from ansible_collections.gatehouse.ollama.plugins.module_utils._rules.environment import (
    CHOOSERS,
    PREFIX,
    cache_problem,
    contradictions,
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

Dict = t.Dict[str, t.Any]

ACCELERATORS = ("cpu", "nvidia", "amd", "vulkan")
SERVICE = "ollama"
# Where the container has its volume of models.
HOME = "/home/ollama"
PARTS = ("name", "accelerator", "devices", "environment", "memory_limit", "cpu_limit")

_PUBLISH = re.compile(r"((127(\.[0-9]{1,3}){3}|\[::1\]):[0-9]{1,5})?\Z")
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


def check(values: t.Mapping[str, t.Any], _controller: common.Controller) -> common.Checked:
    if values["state"] == "absent":
        # What is removed need not be right in itself.
        return common.Checked(place_problems(values), result=_plan(Servers([], [], [], [])))
    servers, problems = read(values)
    return common.Checked(problems, servers.warnings, _plan(servers))


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


def read(arguments: t.Mapping[str, t.Any]) -> t.Tuple[Servers, t.List[str]]:
    """The servers that the variables, named without their prefix, describe, and everything that is wrong with them."""
    problems = place_problems(arguments)
    named, more = read_settings(arguments)
    problems += more
    general, more = read_environment(arguments["environment"], PREFIX + "environment")
    problems += more
    problems += contradictions(general, named, PREFIX + "environment")
    problems += common.wrong(PREFIX, _limits(arguments))
    problems += common.wrong(PREFIX, {"image": common.image(arguments["image"], DEFAULT_IMAGE)})
    drafts, more = _drafts(arguments)
    problems += more
    warnings = unknown(general, PREFIX + "environment")
    instances: t.List[Dict] = []
    seen: t.Dict[str, str] = {}
    for position, draft in enumerate(drafts):
        place, own = draft["place"], draft["environment"]
        warnings += unknown(own, place + ".environment") if own else []
        environment = {"OLLAMA_NO_CLOUD": "1", **named, **general, **own}
        image, problem = for_accelerator(arguments["image"], draft["accelerator"])
        problems += [problem] if problem and common.is_pinned(image) else []
        problems += _device_problems(draft)
        problems += filter(None, [cache_problem(environment, place if own else PREFIX + "kv_cache_type")])
        problems += _chooser_problems(draft, {**general, **own})
        if arguments["require_gpu"] and draft["accelerator"] == "cpu":
            text = "%srequire_gpu: %s computes on the CPU; choose nvidia, amd or vulkan, or leave require_gpu false"
            problems.append(text % (PREFIX, place))
        for device in draft["devices"] if draft["accelerator"] == "nvidia" else []:
            if device in seen:
                text = "%s: the GPU %s is used by %s as well; they share its memory"
                warnings.append(text % (place, device, seen[device]))
            seen[device] = place
        instances.append(_instance(arguments, draft, image, environment, position))
    problems += _egress_problems(arguments, [general, *(draft["environment"] for draft in drafts)])
    images = dict.fromkeys(one["image"] for one in instances) if common.is_pinned(arguments["image"]) else {}
    versions = {image: version_problem(image, arguments["minimum_version"]) for image in images}
    problems += [problem for _known, problem in versions.values() if problem]
    unversioned = [image for image, (known, _problem) in versions.items() if not known]
    models, more = read_models(arguments["models"], PREFIX + "models")
    problems += more
    services = [str(one["service"]) for one in instances]
    keepers = services if any(one.keep_alive is not None for one in models) else services[:1]
    return Servers(instances, warnings, unversioned, keepers), list(dict.fromkeys(problems))


def place_problems(arguments: t.Mapping[str, t.Any]) -> t.List[str]:
    """What is wrong with the folder, the network, the published address and the user."""
    published = (
        "a loopback address and a port, such as 127.0.0.1:11434, or empty: another address would let everybody who "
        "reaches it use Ollama without a credential. Clients on other machines come through a gateway"
    )
    rights = {
        "dir": common.folder(arguments["dir"], "/opt/gatehouse/ollama"),
        "network": common.network(arguments["network"]),
        "publish": None if _PUBLISH.match(arguments["publish"]) else published,
        "user_id": common.count(arguments["user_id"], "0 for root, or a number such as 60881"),
    }
    return common.wrong(PREFIX, rights)


def _drafts(arguments: t.Mapping[str, t.Any]) -> t.Tuple[t.List[Dict], t.List[str]]:
    """Each instance with what it does not say for itself; one without a name where there are none."""
    accelerator = arguments["accelerator"]
    shared: Dict = {
        "memory_limit": arguments["memory_limit"],
        "cpu_limit": arguments["cpu_limit"],
        "environment": {},
        "accelerator": accelerator,
    }
    devices, problems = _device_list(arguments["devices"], PREFIX + "devices")
    entries = arguments["instances"]
    if not entries:
        draft = {**shared, "name": "", "place": PREFIX + "accelerator", "devices": devices}
        return [{**draft, "devices_place": PREFIX + "devices"}], problems
    drafts: t.List[Dict] = []
    for number, entry in enumerate(entries):
        place = "%sinstances[%d]" % (PREFIX, number)
        if not isinstance(entry, dict):
            problems.append(
                "%s: it must be a dictionary with a name, such as {name: gpu0, devices: [GPU-9c2e…]}" % place
            )
            continue
        name = str(entry.get("name", ""))
        problems += _name_problems(name, place, [one["name"] for one in drafts])
        place = "%s (%s)" % (place, name) if name else place
        unknown_parts = sorted(str(part) for part in entry if part not in PARTS)
        if unknown_parts:
            text = "%s: %s is no part of an instance; it may have %s"
            problems.append(text % (place, ", ".join(unknown_parts), ", ".join(PARTS)))
        own = {part: entry[part] for part in ("memory_limit", "cpu_limit") if part in entry}
        problems += common.wrong(place + ".", _limits(own))
        environment, more = read_environment(entry.get("environment") or {}, place + ".environment")
        problems += more
        kind = entry.get("accelerator", accelerator)
        if kind not in ACCELERATORS:
            problems.append("%s.accelerator: it must be one of %s" % (place, ", ".join(ACCELERATORS)))
        if "devices" in entry:
            chosen, more = _device_list(entry["devices"], place + ".devices")
            problems += more
            devices_place = place + ".devices"
        else:
            chosen, devices_place = (devices if kind == accelerator else []), PREFIX + "devices"
        draft = {**shared, **{part: str(value) for part, value in own.items()}, "name": name, "place": place}
        draft.update(environment=environment, accelerator=kind, devices=chosen, devices_place=devices_place)
        drafts.append(draft)
    return drafts, problems


def _name_problems(name: str, place: str, others: t.List[str]) -> t.List[str]:
    if not _INSTANCE.match(name) or name.endswith("listen"):
        right = "lowercase letters, digits and hyphens, such as gpu0, and not end with listen"
        return ["%s: the name must have %s" % (place, right)]
    if name in others:
        return ["%s: the name is there twice; names are unique" % place]
    return []


def _device_list(value: object, place: str) -> t.Tuple[t.List[str], t.List[str]]:
    if not isinstance(value, list) or any(isinstance(one, bool) or not isinstance(one, (str, int)) for one in value):
        return [], ["%s: it must be a list, such as [GPU-9c2e…] or [0, 1]; empty for all GPUs" % place]
    devices = [str(one) for one in value]
    twice = sorted({one for one in devices if devices.count(one) > 1})
    return devices, ["%s: %s is there twice" % (place, one) for one in twice]


def _device_problems(draft: Dict) -> t.List[str]:
    kind, devices, place = draft["accelerator"], draft["devices"], draft["devices_place"]
    if kind == "cpu" and devices:
        return [
            "%s: there are GPUs, and the accelerator is cpu; choose nvidia, amd or vulkan, or leave them out" % place
        ]
    pattern = _DEVICES.get(kind)
    wrong = [one for one in devices if pattern and not pattern.match(one)]
    if not wrong:
        return []
    return [
        "%s: %s cannot be with the accelerator %s, which takes %s"
        % (place, ", ".join(wrong), kind, _RIGHT_DEVICES[kind])
    ]


def _chooser_problems(draft: Dict, environment: t.Mapping[str, str]) -> t.List[str]:
    problems = []
    name = CHOOSERS.get(draft["accelerator"])
    if name in environment and draft["devices"]:
        problems.append("%s: %s in the environment contradicts it; leave it out" % (draft["devices_place"], name))
    if draft["accelerator"] == "vulkan" and environment.get("OLLAMA_VULKAN", "1").lower() not in ("1", "t", "true"):
        text = "%s: OLLAMA_VULKAN in the environment contradicts the accelerator vulkan; leave it out"
        problems.append(text % draft["place"])
    return problems


def _limits(values: t.Mapping[str, t.Any]) -> t.Dict[str, t.Optional[str]]:
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
    environment.update(HOME=HOME, OLLAMA_MODELS=HOME + "/.ollama/models")
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


def _egress_problems(arguments: t.Mapping[str, t.Any], environments: t.Sequence[t.Mapping[str, str]]) -> t.List[str]:
    """What is wrong with where the servers, which have these environments, may connect to."""
    egress, hosts = arguments["egress"], arguments["egress_hosts"]
    problems = []
    if not hosts:
        problems.append("%segress_hosts: it must be a list of host names, such as [registry.ollama.ai]" % PREFIX)
    for number, host in enumerate(hosts):
        if not isinstance(host, str) or not _HOST.match(host):
            text = "%segress_hosts[%d]: it must be a host name in small letters, such as registry.ollama.ai"
            problems.append(text % (PREFIX, number))
    image = common.image(arguments["egress_image"], "docker.io/openresty/openresty:1.31.1.1-bookworm")
    problems += common.wrong(PREFIX, {"egress_image": image})
    if egress == "any":
        return problems
    if arguments["publish"]:
        text = "%spublish: it needs %segress any, for a published port comes in through the network that leads out"
        problems.append(text % (PREFIX, PREFIX))
    found = {name for one in environments for name in one if name.upper() in _PROXIES}
    for name in sorted(found):
        text = "%segress: it is %s, and %s in the environment names a proxy that cannot be reached then; leave one out"
        problems.append(text % (PREFIX, egress, name))
    return problems
