"""Frames come out of a socket as they went in, however the bytes were cut on the way."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_nb.framing import LARGEST, FrameTooLargeError, Unframer, frame, read_frame

payloads = st.lists(st.binary(max_size=30) | st.binary(min_size=255, max_size=300), max_size=6)


@settings(max_examples=100, deadline=None)
@given(payloads=payloads, data=st.data())
def test_any_cut(payloads, data):
    """Whole payloads come out in order, whatever the pieces, and none before its last byte."""
    stream = b"".join(map(frame, payloads))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    ends = [sum(4 + len(each) for each in payloads[: n + 1]) for n in range(len(payloads))]
    unframer, found = Unframer(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += unframer.feed(stream[start:end])
        assert len(found) == sum(each <= end for each in ends)
    assert found == payloads


def test_byte_by_byte():
    """One byte at a time is a cut like any other."""
    unframer = Unframer()
    found = [list(unframer.feed(bytes([each]))) for each in frame(b"ab") + frame(b"")]
    assert found == [[]] * 5 + [[b"ab"]] + [[]] * 3 + [[b""]]


def test_rest_waits_for_the_next_feed():
    """Payloads that a reader did not take are still there at its next look."""
    unframer = Unframer()
    assert next(unframer.feed(frame(b"a") + frame(b"b") + frame(b"c"))) == b"a"
    assert list(unframer.feed(b"")) == [b"b", b"c"]


def test_length_is_four_bytes_big_endian():
    """The form on the wire: the length first, as an unsigned network integer."""
    assert frame(b"abc") == b"\x00\x00\x00\x03abc"


@pytest.mark.parametrize("length", [LARGEST + 1, 2**32 - 1, struct.unpack(">I", b"HTTP")[0]])
def test_too_large_is_refused_at_once(length):
    """A length beyond the limit is refused as soon as it is read, not when memory is gone."""
    with pytest.raises(FrameTooLargeError, match=str(length)):
        list(Unframer().feed(struct.pack(">I", length)))


def test_largest_is_allowed():
    """A length at the limit is waited for; three images of 25 MiB as base64 fit."""
    assert list(Unframer().feed(struct.pack(">I", LARGEST) + b"x")) == []
    assert LARGEST >= 2.5 * 25 * 2**20 * 4 / 3


def test_what_came_before_nonsense_is_delivered():
    """A good payload in front of a bad length is not lost."""
    pieces = Unframer().feed(frame(b"good") + b"\xff\xff\xff\xff")
    assert next(pieces) == b"good"
    with pytest.raises(FrameTooLargeError):
        next(pieces)


@pytest.fixture
async def ends() -> AsyncIterator[tuple[asyncio.StreamReader, socket.socket]]:
    """A reader, and the other end of its socket."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=ours)
    yield reader, theirs
    theirs.close()
    writer.close()
    await writer.wait_closed()


async def test_read_frame(ends):
    """`read_frame` reads one payload and leaves the next one there."""
    reader, other = ends
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        large = bytes(range(256)) * 4096  # a megabyte does not fit into a socket's buffer
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.sock_sendall(other, frame(b"a") + frame(large) + frame(b"")))
            assert await read_frame(reader) == b"a"
            assert await read_frame(reader) == large
            assert await read_frame(reader) == b""


async def test_read_frame_waits(ends):
    """Half a frame is waited for."""
    reader, other = ends
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        await loop.sock_sendall(other, frame(b"abc")[:5])
        reading = asyncio.ensure_future(read_frame(reader))
        done, _ = await asyncio.wait({reading}, timeout=0.05)
        assert not done
        await loop.sock_sendall(other, frame(b"abc")[5:])
        assert await reading == b"abc"


@pytest.mark.parametrize("sent", [b"", b"\x00\x00", b"\x00\x00\x00\x05ab"])
async def test_read_frame_of_a_closed_socket(ends, sent):
    """An end that closes, between frames or within one, is told as an incomplete read."""
    reader, other = ends
    async with asyncio.timeout(5):
        await asyncio.get_running_loop().sock_sendall(other, sent)
        other.close()
        with pytest.raises(asyncio.IncompleteReadError):
            await read_frame(reader)


async def test_read_frame_refuses_what_is_not_framed(ends):
    """Text on the socket is refused by its first four bytes."""
    reader, other = ends
    async with asyncio.timeout(5):
        await asyncio.get_running_loop().sock_sendall(other, b"HTTP/1.1 200 OK\r\n")
        with pytest.raises(FrameTooLargeError):
            await read_frame(reader)
