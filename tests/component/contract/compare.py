# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The differences between a recorded answer and a given one; strict where the recording is no accident."""

from __future__ import annotations

import json
import re
from typing import Any

from .replay import Reply

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z")
HTTP_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
# What differs from one run to the next, and what it must look like all the same.
PATTERNS = {
    "created_at": TIME,
    "modified_at": TIME,
    "expires_at": TIME,
    "digest": re.compile(r"(sha256:)?[0-9a-f]{64}"),
    "id": re.compile(
        r"(chatcmpl-|cmpl-|resp_|msg_|rs_|rs_resp_)\d{1,6}|fc_(resp_)?\d{1,6}_\d|msg_[0-9a-f]{24}|call_[0-9a-z]{8}"
    ),
    "item_id": re.compile(r"(msg_|rs_)\d{1,6}|fc_\d{1,6}_\d"),
    "call_id": re.compile(r"call_[0-9a-z]{8}"),
    "request_id": re.compile(r"req_[0-9a-f]{24}"),
}
POSITIVE = {"total_duration", "load_duration", "prompt_eval_duration", "eval_duration"}
POSITIVE |= {"created", "created_at", "completed_at"}
# The time of a request to the vendor, in the text of an error.
STAMP = re.compile(r"\?ts=\d{10}")
VECTORS = {"embedding", "embeddings"}
# Lines in the order of a Go map, which is random.
UNORDERED_LINES = {"modelfile", "parameters"}
# Entries of one second are listed in random order.
UNORDERED_LISTS = {"models", "data"}

Members = list[tuple[str, Any]]


class Object(Members):
    """A JSON object with its members in order."""


def compare(expected: Reply, actual: Reply, head_varies: bool = False) -> list[str]:
    """All differences; `head_varies` allows another length of a body that HEAD leaves out."""
    if expected.status_line != actual.status_line:
        return [f"status: expected {expected.status_line!r}, got {actual.status_line!r}"]
    differences = _compare_headers(expected, actual, head_varies)
    differences += _compare_bodies(expected.body, actual.body)
    differences += _compare_framing(expected, actual)
    return differences


def _compare_headers(expected: Reply, actual: Reply, head_varies: bool) -> list[str]:
    def masked(reply: Reply) -> list[tuple[str, str]]:
        lengths_count = expected.body == actual.body and not head_varies
        values = []
        for name, value in reply.headers:
            if name == "Date":
                value = "a date" if HTTP_DATE.fullmatch(value) else value
            elif name == "Content-Length" and not lengths_count:
                value = "a length" if value.isdecimal() else value
            values.append((name, value))
        return values

    differences = []
    if masked(expected) != masked(actual):
        differences.append(f"headers: expected {masked(expected)}, got {masked(actual)}")
    length = actual.header("Content-Length")
    if actual.body and length is not None and int(length) != len(actual.body):
        differences.append(f"Content-Length {length} of a body of {len(actual.body)} bytes")
    return differences


def _compare_framing(expected: Reply, actual: Reply) -> list[str]:
    if actual.chunks is None:
        return []
    kind = actual.header("Content-Type") or ""
    if expected.chunks is not None and len(expected.chunks) != len(actual.chunks):
        return [f"chunks: expected {len(expected.chunks)}, got {len(actual.chunks)}"]
    if kind == "application/x-ndjson" and not all(chunk.count(b"\n") == 1 for chunk in actual.chunks):
        return ["a chunk is not one line"]
    if kind == "text/event-stream" and not all(chunk.endswith(b"\n\n") for chunk in actual.chunks):
        return ["a chunk is not whole events"]
    return []


def _documents(body: bytes) -> list[Any] | None:
    """The JSON values of a body, of a stream's lines or of its events; None where it is something else."""
    lines = body.decode().splitlines(keepends=True)
    documents: list[Any] = []
    for line in lines:
        data = line.removeprefix("data: ")
        if data.startswith(("{", "[{")):
            try:
                documents.append((line[: len(line) - len(data)], json.loads(data, object_pairs_hook=Object), data[-1]))
            except ValueError:
                return None
        else:
            documents.append(line)
    return documents if any(isinstance(document, tuple) for document in documents) else None


def _compare_bodies(expected: bytes, actual: bytes) -> list[str]:
    if expected == actual:
        return []
    wanted, got = _documents(expected), _documents(actual)
    if wanted is None or got is None:
        return [f"body: expected {expected!r}, got {actual!r}"]
    wanted, got = _last_of_each_status(wanted), _last_of_each_status(got)
    if len(wanted) != len(got):
        return [f"body: expected {len(wanted)} lines, got {len(got)}: {actual!r}"]
    differences: list[str] = []
    for index, (one, other) in enumerate(zip(wanted, got, strict=True)):
        _compare_values(one, other, f"line {index}", "", differences)
    return differences


def _last_of_each_status(documents: list[Any]) -> list[Any]:
    """A transfer reports its progress as often as time passes: only the last report of each step counts."""
    kept: list[Any] = []
    for document in documents:
        status = _status(document)
        if status and kept and _status(kept[-1]) == status:
            kept.pop()
        kept.append(_without_progress(document))
    return kept


def _without_progress(document: Any) -> Any:
    """How much of a layer had come when it was reported is an accident; zero is left out."""
    if isinstance(document, tuple) and _status(document).startswith(("pulling ", "pushing ")):
        before, content, end = document
        return before, Object(member for member in content if member[0] != "completed"), end
    return document


def _status(document: Any) -> str:
    if isinstance(document, tuple) and isinstance(document[1], Object):
        return str(dict(document[1]).get("status", ""))
    return ""


def _type_name(value: Any) -> str:
    return "list" if isinstance(value, list) and not isinstance(value, Object) else type(value).__name__


def _compare_values(expected: Any, actual: Any, where: str, key: str, differences: list[str]) -> None:
    if isinstance(expected, tuple) and isinstance(actual, tuple):
        if (expected[0], expected[2]) != (actual[0], actual[2]):
            differences.append(f"{where}: other text around the JSON")
        _compare_values(expected[1], actual[1], where, key, differences)
    elif key in VECTORS:
        _compare_vectors(expected, actual, where, differences)
    elif _type_name(expected) != _type_name(actual):
        differences.append(f"{where}: expected a {_type_name(expected)}, got a {_type_name(actual)}")
    elif isinstance(expected, Object):
        names, others = [name for name, _ in expected], [name for name, _ in actual]
        if names != others:
            differences.append(f"{where}: expected the keys {names}, got {others}")
            return
        for (name, one), (_, other) in zip(expected, actual, strict=True):
            _compare_values(one, other, f"{where}.{name}", name, differences)
    elif isinstance(expected, list):
        _compare_lists(expected, actual, where, key, differences)
    elif not _same_scalar(expected, actual, key):
        differences.append(f"{where}: expected {expected!r}, got {actual!r}")


def _compare_lists(expected: list[Any], actual: list[Any], where: str, key: str, differences: list[str]) -> None:
    if len(expected) != len(actual):
        differences.append(f"{where}: expected {len(expected)} items, got {len(actual)}")
        return
    if key in UNORDERED_LISTS:
        expected, actual = sorted(expected, key=_identity), sorted(actual, key=_identity)
    for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
        _compare_values(one, other, f"{where}[{index}]", "model entry" if key == "data" else "", differences)


def _identity(entry: Any) -> str:
    members = dict(entry)
    return str(members.get("name") or members.get("id"))


def _same_scalar(expected: Any, actual: Any, key: str) -> bool:
    if key in PATTERNS and isinstance(expected, str) and PATTERNS[key].fullmatch(expected):
        return bool(PATTERNS[key].fullmatch(actual))
    if key in POSITIVE and isinstance(expected, int):
        return bool(actual > 0)
    if key in UNORDERED_LINES:
        return sorted(expected.splitlines()) == sorted(actual.splitlines())
    if key == "error" and isinstance(expected, str) and isinstance(actual, str):
        return STAMP.sub("?ts=", expected) == STAMP.sub("?ts=", actual)
    return bool(expected == actual)


def _compare_vectors(expected: Any, actual: Any, where: str, differences: list[str]) -> None:
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
            _compare_vectors(one, other, f"{where}[{index}]", differences)
    elif isinstance(expected, str) and isinstance(actual, str):
        # In base64.
        same = len(expected) == len(actual)
        differences += [] if same else [f"{where}: not as many numbers"]
    elif not (isinstance(expected, float) and isinstance(actual, float)):
        differences.append(f"{where}: not the same shape of numbers")
