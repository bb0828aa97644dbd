# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's command line: `python -m tests.lab <verb>`, from the repository's root."""

from __future__ import annotations

import argparse
import sys

from docker.errors import APIError

from tests import lab
from tests.lab import engine, gpus, hosts
from tests.lab.base import LABEL, LabError, lock


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=lab.__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)

    up = verbs.add_parser("up", help="engine, network, images and registry")
    up.add_argument("--packages", action="store_true", help="apt repositories like Docker's and NVIDIA's too")
    up.add_argument("--acme", action="store_true", help="ACME servers too")
    up.add_argument("--images", choices=["official", "lab"], help="default: official where a registry answers")
    up.add_argument("--ollama", choices=["official", "standin"], help="default: standin")

    host = verbs.add_parser("host", help="make or remove hosts").add_subparsers(dest="action", required=True)
    create = host.add_parser("create", help="a host that has booted, with all that it needs")
    create.add_argument("name")
    create.add_argument("--address", help="in 10.213.0.0/24; default: the next free one from .10 on")
    create.add_argument("--packages", action="store_true", help="as for up")
    create.add_argument("--acme", action="store_true", help="as for up")
    create.add_argument("--docker", action="store_true", help="with Docker installed")
    create.add_argument("--gpus", type=int, default=0, help="so many stand-ins for NVIDIA GPUs")
    create.add_argument("--driver", default=gpus.DRIVER, help="version of their driver; default: %(default)s")
    destroy = host.add_parser("destroy", help="remove a host and its data")
    destroy.add_argument("name")

    verbs.add_parser("status", help="what is there")
    verbs.add_parser("down", help="remove everything but the images")

    arguments = parser.parse_args()
    try:
        return _run(arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
    except APIError as error:
        print(f"lab: the Docker Engine refused: {error.explanation}", file=sys.stderr)
    return 1


def _run(arguments: argparse.Namespace) -> int:
    if arguments.verb == "up":
        lab.up(
            packages=arguments.packages,
            acme=arguments.acme,
            official={"official": True, "lab": False}.get(arguments.images),
            standin={"official": False, "standin": True}.get(arguments.ollama),
        )
    elif arguments.verb == "down":
        lab.down()
    elif arguments.verb == "status":
        _status()
    elif arguments.action == "create":
        client = lab.up(packages=arguments.packages, acme=arguments.acme)
        address, made = hosts.create(
            client,
            arguments.name,
            arguments.address,
            has_docker=arguments.docker,
            gpu_count=arguments.gpus,
            driver=arguments.driver,
        )
        print(f"{'created' if made else 'present'} {arguments.name} {address}")
    elif not engine.running():
        print(f"absent {arguments.name}")
    else:
        with lock():
            removed = hosts.destroy(engine.client(), arguments.name)
        print(f"{'destroyed' if removed else 'absent'} {arguments.name}")
    return 0


def _status() -> None:
    if not engine.running():
        print("no Docker Engine answers")
        return
    client = engine.client()
    addresses = hosts.addresses(client)
    for container in client.containers.list(all=True, filters={"label": LABEL}):
        print(f"{container.name} {addresses.get(container.name, 'service')} {container.status}")


if __name__ == "__main__":
    sys.exit(main())
