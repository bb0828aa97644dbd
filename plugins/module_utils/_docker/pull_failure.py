# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an image cannot be pulled, by what the engine says, and what helps. Pure functions."""

from __future__ import annotations

import re

_DEFAULT_REGISTRY = "docker.io"

_LOGIN = "log in on the host, as root (`docker login %(registry)s`)"
_MIRROR = "take it from a mirror (name the image there, or set registry-mirrors in docker_engine_daemon_options)"
_ARCHIVE = "bring it in a file that another host wrote by `docker save` (%(archive)s)"

# What the engine says, in the order in which it counts, what that means, and what helps.
_KINDS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        r"no space left on device",
        "the host's disk is full",
        ("make room on the host, for instance `docker image prune`",),
    ),
    (
        r"toomanyrequests|too many requests|rate limit|\b429\b",
        "the registry lets this address pull no more for a while",
        ("wait", _LOGIN, _MIRROR, _ARCHIVE),
    ),
    (
        r"manifest unknown|name unknown|manifest for .* not found|: not found\Z|invalid reference format",
        "the registry has no such image",
        ("name an image that exists, with its tag",),
    ),
    (
        r"no matching manifest for",
        "the image is not made for this machine's architecture",
        ("name one that is",),
    ),
    (
        r"repository does not exist or may require",
        "the registry has no such repository, or shows it to nobody without a login",
        ("check the name", _LOGIN, _MIRROR, _ARCHIVE),
    ),
    (
        r"unauthorized|authentication required|no basic auth credentials|incorrect username or password|denied"
        r"|forbidden|\b40[13]\b",
        "the registry lets nobody pull it without a login, or not with this one",
        (_LOGIN, _MIRROR, _ARCHIVE),
    ),
    (
        r"x509:|certificate|server gave HTTP response to HTTPS client",
        "the host does not trust the registry's certificate, or that of a proxy in between",
        (
            "put its CA into /etc/docker/certs.d/%(registry)s/ca.crt, or among those that the host trusts",
            _MIRROR,
            _ARCHIVE,
        ),
    ),
    (
        r"dial tcp|no such host|name resolution|i/o timeout|timed? ?out|deadline exceeded|connection (refused|reset)"
        r"|request canceled|unreachable|proxyconnect|server misbehaving|\bEOF\b",
        "the host does not reach the registry %(registry)s",
        (
            "check that name and the host's network, or its proxy (proxies in docker_engine_daemon_options)",
            _MIRROR,
            _ARCHIVE,
        ),
    ),
    (
        r"unexpected HTTP status: 5\d\d|internal server error|unavailable",
        "the registry is in trouble",
        ("try later", _MIRROR, _ARCHIVE),
    ),
)
_UNKNOWN = ("the engine says no more", ("check its name and tag", _LOGIN, _MIRROR, _ARCHIVE))


def registry(name: str) -> str:
    """The registry that an image comes from, as `docker login` takes it."""
    first, slash, _rest = name.partition("/")
    is_registry = slash and ("." in first or ":" in first or first == "localhost")
    return first if is_registry else _DEFAULT_REGISTRY


def explain(name: str, said: str, archive_variable: str) -> str:
    """What it means that an image cannot be pulled, and what helps, in one sentence."""
    found = (kind[1:] for kind in _KINDS if re.search(kind[0], said, re.IGNORECASE))
    meaning, remedies = next(found, _UNKNOWN)
    values = {"registry": registry(name), "archive": archive_variable}
    first, *others = [one % values for one in remedies]
    return "%s: %s%s" % (meaning % values, first, "".join(", or " + one for one in others))
