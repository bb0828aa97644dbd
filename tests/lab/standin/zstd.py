# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies in zstd, decoded by the system's library, which every Debian has for its packages."""

from __future__ import annotations

import ctypes

from .errors import NativeError

_BLOCK = 128 << 10


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer have the same form."""

    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t)]


def decode(data: bytes) -> bytes:
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_createDStream.restype = ctypes.c_void_p
    library.ZSTD_decompressStream.restype = ctypes.c_size_t
    stream = ctypes.c_void_p(library.ZSTD_createDStream())
    try:
        return _decode(library, stream, data)
    finally:
        library.ZSTD_freeDStream(stream)


def _decode(library: ctypes.CDLL, stream: ctypes.c_void_p, data: bytes) -> bytes:
    given = ctypes.create_string_buffer(data, len(data))
    taken = _Buffer(ctypes.addressof(given), len(data), 0)
    room = ctypes.create_string_buffer(_BLOCK)
    decoded = b""
    while True:
        got = _Buffer(ctypes.addressof(room), _BLOCK, 0)
        left = library.ZSTD_decompressStream(stream, ctypes.byref(got), ctypes.byref(taken))
        if library.ZSTD_isError(ctypes.c_size_t(left)):
            raise NativeError(400, "invalid input: magic number mismatch")
        decoded += room.raw[: got.pos]
        if taken.pos == taken.size and got.pos < _BLOCK:
            return decoded
