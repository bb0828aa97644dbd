# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `ollama` command: serve, and the commands that ask a running server."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator

from . import modelfile
from .client import Client, CommandError
from .settings import Settings, parse_duration, parse_host

USAGE = """\
Usage:
  ollama [flags]
  ollama [command]

Available Commands:
  serve       Start Ollama
  create      Create a model
  show        Show information for a model
  run         Run a model
  stop        Stop a running model
  pull        Pull a model from a registry
  push        Push a model to a registry
  list        List models
  ps          List running models
  cp          Copy a model
  rm          Remove a model
  help        Help about any command

Flags:
  -h, --help      help for ollama
  -v, --version   Show version information
"""


def _size(count: int) -> str:
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if count >= unit:
            value = count / unit
            return f"{int(value)} {name}" if value >= 10 or value.is_integer() else f"{value:.1f} {name}"
    return f"{count} B"


def _span(seconds: float) -> str:
    amounts = ((60, "second", 1), (3600, "minute", 60), (86400, "hour", 3600), (7 * 86400, "day", 86400))
    if seconds < 1:
        return "Less than a second"
    for limit, unit, length in amounts:
        if seconds < limit:
            count = int(seconds // length)
            if count == 1 and unit != "second":
                return f"About {'an' if unit == 'hour' else 'a'} {unit}" if unit != "day" else "24 hours"
            return f"{count} {unit}{'s' if count != 1 else ''}"
    weeks = int(seconds // (7 * 86400))
    return f"{weeks} week{'s' if weeks != 1 else ''}"


def _since(moment: str) -> float:
    whole = moment.rstrip("Z").partition(".")[0]
    return time.time() - datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp()


def _table(head: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in [head, *rows]) + 4 for column in range(len(head))]
    for row in [head, *rows]:
        print("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def list_models(client: Client, arguments: list[str]) -> None:
    prefix = arguments[0].lower() if arguments else ""
    rows = [
        [model["name"], model["digest"][:12], _size(model["size"]), _span(_since(model["modified_at"])) + " ago"]
        for model in client.call("GET", "/api/tags")["models"]
        if model["name"].lower().startswith(prefix)
    ]
    _table(["NAME", "ID", "SIZE", "MODIFIED"], rows)


def list_running(client: Client, _arguments: list[str]) -> None:
    rows = []
    for model in client.call("GET", "/api/ps")["models"]:
        left = -_since(model["expires_at"])
        until = "Forever" if left > 100 * 365 * 86400 else _span(left) + " from now"
        processor = "100% GPU" if model["size_vram"] else "100% CPU"
        context = str(model["context_length"])
        rows.append([model["name"], model["digest"][:12], _size(model["size"]), processor, context, until])
    _table(["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"], rows)


def _transfer(name: str, insecure: bool) -> dict[str, Any]:
    permitted = {"insecure": True} if insecure else {}
    return {"model": "", **permitted, "username": "", "password": "", "name": name}


def pull(client: Client, arguments: list[str]) -> None:
    insecure = "--insecure" in arguments
    (name,) = _expect([argument for argument in arguments if argument != "--insecure"], 1)
    last = ""
    for status in client.stream("/api/pull", _transfer(name, insecure)):
        line = status["status"]
        if status.get("total") and status.get("completed") == status["total"]:
            line = f"{line}: 100% {_size(status['total'])}"
        if line != last:
            print(line, file=sys.stderr)
        last = line


def push(client: Client, arguments: list[str]) -> None:
    insecure = "--insecure" in arguments
    (name,) = _expect([argument for argument in arguments if argument != "--insecure"], 1)
    client.call("POST", "/api/me")
    for status in client.stream("/api/push", _transfer(name, insecure)):
        print(status["status"], file=sys.stderr)


def create(client: Client, arguments: list[str]) -> None:
    path = Path(_option(arguments, "-f", "--file") or "Modelfile")
    (name,) = _expect(arguments, 1)
    try:
        wanted = modelfile.parse(path.read_text())
        files = {file.name: _upload(client, file) for file in modelfile.files(path, wanted)}
    except OSError as error:
        raise CommandError(f"open {error.filename}: {os.strerror(error.errno or 0).lower()}") from None
    source = {"files": files} if files else {"from": wanted.pop("from")}
    wanted.pop("from", None)
    for status in client.stream("/api/create", {"model": name, **source, **wanted}):
        print(status["status"], file=sys.stderr)


def _upload(client: Client, file: Path) -> str:
    """Send a file as a blob, in pieces; its digest."""
    digest = "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
    client.call("POST", f"/api/blobs/{digest}", _pieces(file))
    return digest


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while data := stream.read(32 << 10):
            yield data


def _option(arguments: list[str], *names: str) -> str | None:
    """The value of an option, which is taken out of the arguments."""
    for index, argument in enumerate(arguments[:-1]):
        if argument in names:
            value = arguments[index + 1]
            del arguments[index : index + 2]
            return value
    return None


def _shown(model: str = "", name: str = "") -> dict[str, Any]:
    return {"model": model, "system": "", "template": "", "verbose": False, "options": None, "name": name}


def _generation(model: str, prompt: str, options: Any, keep_alive: str = "") -> dict[str, Any]:
    kept = {"keep_alive": keep_alive} if keep_alive else {}
    return {"model": model, "prompt": prompt, "suffix": "", "system": "", "template": "", **kept, "options": options}


def _go_duration(text: str) -> str:
    """A duration as Go writes it, such as 1m0s."""
    minutes, seconds = divmod(int(parse_duration(text)), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h"] if hours else []
    parts += [f"{minutes}m"] if hours or minutes else []
    return "".join([*parts, f"{seconds}s"])


def run(client: Client, arguments: list[str]) -> None:
    keep_alive = _option(arguments, "--keepalive")
    if len(arguments) < 2:
        raise CommandError("the stand-in speaks only where a prompt is given: run MODEL PROMPT")
    name, *prompt = arguments
    client.call("POST", "/api/show", _shown(name))
    kept = _go_duration(keep_alive) if keep_alive else ""
    for piece in client.stream("/api/generate", _generation(name, " ".join(prompt), {}, kept)):
        print(piece.get("response", ""), end="", flush=True)
    print()


def stop(client: Client, arguments: list[str]) -> None:
    (name,) = _expect(arguments, 1)
    client.call("POST", "/api/show", _shown(name))
    for _ in client.stream("/api/generate", _generation(name, "", None, "0s")):
        pass


def show(client: Client, arguments: list[str]) -> None:
    parts = ("modelfile", "parameters", "template", "system", "license")
    wanted = [argument[2:] for argument in arguments if argument.startswith("--")]
    if unknown := [part for part in wanted if part not in parts]:
        raise CommandError(f"unknown flag: --{unknown[0]}")
    (name,) = _expect([argument for argument in arguments if not argument.startswith("--")], 1)
    answer = client.call("POST", "/api/show", _shown(name=name))
    if wanted:
        print(answer.get(wanted[0], ""))
        return
    details = answer["details"]
    length = answer["model_info"].get(f"{details['family']}.context_length", "")
    print("  Model")
    for label, value in (
        ("architecture", details["family"]),
        ("parameters", details["parameter_size"]),
        ("context length", length),
        ("quantization", details["quantization_level"]),
    ):
        print(f"    {label:<20}{value}")
    print("\n  Capabilities")
    for capability in answer["capabilities"]:
        print(f"    {capability}")


def remove(client: Client, arguments: list[str]) -> None:
    if not arguments:
        raise CommandError("requires at least 1 arg(s), only received 0")
    for name in arguments:
        # One that is not there is told by the removal itself.
        with contextlib.suppress(CommandError):
            stop(client, [name])
        client.call("DELETE", "/api/delete", {"model": "", "name": name})
        print(f"deleted '{name}'")


def copy(client: Client, arguments: list[str]) -> None:
    source, target = _expect(arguments, 2)
    client.call("POST", "/api/copy", {"source": source, "destination": target})
    print(f"copied '{source}' to '{target}'")


def _expect(arguments: list[str], count: int) -> list[str]:
    if len(arguments) != count:
        raise CommandError(f"accepts {count} arg(s), received {len(arguments)}")
    return arguments


def version(client: Client, settings: Settings) -> None:
    try:
        running = client.call("GET", "/api/version")["version"]
    except CommandError:
        print("Warning: could not connect to a running Ollama instance")
        print(f"Warning: client version is {settings.version}")
        return
    print(f"ollama version is {running}")
    if running != settings.version:
        print(f"Warning: client version is {settings.version}")


COMMANDS = {
    "list": list_models,
    "ls": list_models,
    "ps": list_running,
    "pull": pull,
    "push": push,
    "create": create,
    "run": run,
    "stop": stop,
    "show": show,
    "rm": remove,
    "cp": copy,
}


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    command, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if command in ("serve", "start"):
        # Not for the other commands: a health check is one of them every few seconds.
        from . import server

        return server.main()
    if command in ("help", "-h", "--help"):
        print(USAGE, end="")
        return 0
    try:
        settings = Settings.from_environment()
        client = Client(parse_host(os.environ.get("OLLAMA_HOST", "")), settings.version, os.environ)
        if command in ("-v", "--version"):
            version(client, settings)
        elif command in COMMANDS:
            client.call("HEAD", "/")
            COMMANDS[command](client, rest)
        else:
            raise CommandError(f'unknown command "{command}" for "ollama"')
    except (CommandError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
