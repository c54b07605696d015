"""Length-prefixed frames over a stream socket, for the links between our own processes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

_LENGTH = struct.Struct(">I")
LARGEST = 96 * 1024 * 1024  # bytes: a ring of pictures in one answer, or three 25 MiB images


class FrameTooLargeError(ValueError):
    """A frame's length is beyond `LARGEST`: the other end does not speak this protocol."""


def frame(payload: bytes) -> bytes:
    """Return `payload` with its length in front."""
    return _LENGTH.pack(len(payload)) + payload


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Wait for the next payload.

    Raises:
        asyncio.IncompleteReadError: The other end closed.
        FrameTooLargeError: The stream is not framed.
    """
    return await reader.readexactly(_length(await reader.readexactly(_LENGTH.size)))


def _length(head: bytes | memoryview) -> int:
    (length,) = _LENGTH.unpack(head)
    if length > LARGEST:
        raise FrameTooLargeError(f"a frame of {length} bytes")
    return int(length)


class Unframer:
    """Cuts what arrives in pieces of any size back into payloads."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add `data`, and yield every payload that is now whole."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            end = _LENGTH.size + _length(bytes(self._buffer[: _LENGTH.size]))
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield payload
