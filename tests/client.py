# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of a gateway, as the scenarios use it: HTTP or HTTPS from outside, and what it saw in words."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Gateway:
    """The gateway at `url`, for example http://10.213.0.10:8880; with HTTPS its certificate must be of the CA `ca`."""

    url: str
    timeout: float = 30.0
    ca: Path | None = None

    @property
    def verify(self) -> str | bool:
        return str(self.ca) if self.ca else True

    def get(self, path: str = "/api/tags", **options: Any) -> requests.Response:
        """GET `path`; options are those of requests, such as headers or auth."""
        return requests.get(self.url + path, timeout=self.timeout, **{"verify": self.verify, **options})

    def status(self, path: str = "/api/tags", *, key: str | None = None, auth: tuple[str, str] | None = None) -> int:
        """The status that `path` answers with a Bearer key, or a name and password, or neither."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        credentials = tuple(part.encode() for part in auth) if auth else None
        return self.get(path, headers=headers, auth=credentials).status_code

    def stream(self, model: str = "tiny", **options: Any) -> list[tuple[float, bytes]]:
        """Chat with `model` and return each piece of the streamed answer with the second at which it arrived."""
        body = {"model": model, "prompt": "hi"}
        start = time.monotonic()
        with requests.post(
            self.url + "/api/generate", json=body, stream=True, timeout=self.timeout, verify=self.verify, **options
        ) as answer:
            answer.raise_for_status()
            return [(time.monotonic() - start, piece) for piece in answer.iter_content(chunk_size=None)]


def playbook(inventory: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run playbooks/<name>.yml of this checkout against `inventory`; the caller judges the exit code."""
    command: list[str | Path] = [
        ROOT / ".venv/bin/ansible-playbook",
        "-i",
        inventory,
        f"playbooks/{name}.yml",
        *arguments,
    ]
    env = {**os.environ, "ANSIBLE_FORCE_COLOR": "false", "ANSIBLE_NOCOLOR": "true"}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=1500, check=False)


def told(done: subprocess.CompletedProcess[str]) -> str:
    """All that a playbook printed, in one line: long messages are broken anywhere."""
    return " ".join((done.stdout + done.stderr).split())


@dataclass
class Load:
    """Requests in a loop, in a thread of their own, until the block ends: `with Load(...) as load`.

    All on one connection, or with `keep_alive` false each on its own.
    """

    gateway: Gateway
    key: str
    pause: float = 0.02
    keep_alive: bool = True
    answers: list[tuple[float, int]] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {self.key}"
            if not self.keep_alive:
                session.headers["Connection"] = "close"
            while not self._stop.wait(self.pause):
                begun = time.time()
                try:
                    # Each time: a session's own CA gives way to one that the environment names.
                    answer = session.get(
                        self.gateway.url + "/api/version", timeout=self.gateway.timeout, verify=self.gateway.verify
                    )
                    status = answer.status_code
                except requests.RequestException:
                    status = 0
                self.answers.append((begun, status))

    def statuses(self, after: float = 0.0) -> set[int]:
        """The statuses of the requests that began after this time (seconds since the epoch); 0 is no answer at all."""
        return {status for begun, status in self.answers if begun > after}
