# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway beside LiteLLM's proxy: one worker each, a key and a whole answer, in front of the same upstream.

Usage: python -m tests.bench.peers PATH, with the folder of the virtual environment in which LiteLLM is.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import load, servers
from tests.bench.credentials import running
from tests.bench.summary import Figure, in_turn, table
from tests.component.contract.standins import free_port, until

ROUNDS = 3
# LiteLLM takes a tenth of a second for a request, on a slow machine.
SECONDS = 4.0
# LiteLLM imports for half a minute.
START = 120
KEY = "sk-of-the-bench"
PATH = "/v1/chat/completions"
BODY = servers.chat(230, stream=False)


def _configuration(upstream: servers.Upstream) -> str:
    """One model of a server that speaks OpenAI's dialect, and one key; in JSON, which YAML is as well."""
    model = {"model": f"openai/{servers.MODEL}", "api_base": f"http://{upstream.address}/v1", "api_key": "none"}
    models = [{"model_name": servers.MODEL, "litellm_params": model}]
    return json.dumps({"model_list": models, "general_settings": {"master_key": KEY}})


def _answers(address: str, headers: dict[str, str]) -> bool:
    connection = http.client.HTTPConnection(address, timeout=10)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("POST", PATH, BODY, {**headers, "Content-Type": "application/json"})
        return connection.getresponse().status == 200
    return False


@contextlib.contextmanager
def litellm(environment: Path, folder: Path, upstream: servers.Upstream) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a running proxy, and the headers with its key."""
    configuration, port = folder / "litellm.yaml", free_port()
    configuration.write_text(_configuration(upstream), encoding="utf-8")
    command = [f"{environment}/bin/litellm", "--config", str(configuration), "--num_workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    # It would fetch a list of prices and tell its makers that it runs.
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_TELEMETRY": "False"}
    address, headers = f"127.0.0.1:{port}", {"Authorization": f"Bearer {KEY}"}
    with (folder / "litellm.log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=folder, env=os.environ | quiet, stdout=log, stderr=log)
        try:
            until(lambda: process.poll() is not None or _answers(address, headers), START)
            if not _answers(address, headers):
                raise SystemExit(f"bench: LiteLLM does not start:\n{Path(log.name).read_text(encoding='utf-8')}")
            yield address, headers
        finally:
            process.kill()
            process.wait()


def version_of(environment: Path) -> str:
    """LiteLLM's, which its environment knows."""
    ask = "from importlib.metadata import version; print(version('litellm'))"
    command = [f"{environment}/bin/python", "-c", ask]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def chat_vs_litellm(environment: Path, folder: Path) -> Figure:
    meaning = f"requests/s of chats of {len(BODY)} bytes with a key, against LiteLLM {version_of(environment)}"
    figure = Figure("chat_vs_litellm", "ratio", None, f"{meaning}: one worker each")
    body = folder / "chat.json"
    body.write_bytes(BODY)

    def rate(address: str, headers: dict[str, str]) -> float:
        return load.requests_per_second(f"http://{address}{PATH}", headers, body=body, seconds=SECONDS)

    upstream = servers.Upstream(folder / "upstream", "bearer")
    ours = servers.gateway(folder / "gateway", "bearer", upstream)
    with running(upstream), running(ours), litellm(environment, folder, upstream) as (address, headers):
        # What both do only once is behind them then.
        for warm_up in ((address, headers), (ours.address, servers.BOB)):
            rate(*warm_up)
        in_turn(ROUNDS, figure, lambda: rate(address, headers), lambda: rate(ours.address, servers.BOB))
    return figure


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        figure = chat_vs_litellm(Path(sys.argv[1]).resolve(), folder)
    told = figure.report()
    print(table([figure]))
    print(f"bench: {figure.meaning}")
    print(f"bench: {told['gateway']:.0f} requests/s by the gateway, {told['baseline']:.0f} by LiteLLM")


if __name__ == "__main__":
    main()
