"""Where UDP is blocked a TURN server relays; and servers that are dead are not waited for long."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from odyssey_nb import errors
from odyssey_nb.client.client import AsyncClient
from odyssey_nb.client.peer import Peer
from odyssey_nb.media.congestion import BitrateController
from odyssey_nb.media.h264 import BITRATE
from odyssey_nb.service.peer import Peer as Streamer
from odyssey_nb.service.peer import PictureTrack
from odyssey_nb.service.turn import relay_servers, relays
from odyssey_nb.wire.control import IceServer
from tests.conftest import API_KEY
from tests.network import Network
from tests.service.raw_client import until
from tests.service.running import running
from tests.turn import SECRET, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from odyssey_nb.wire.link import Picture


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[Turn]:
    """A TURN server."""
    with Turn.running(tmp_path) as turn:
        yield turn


@pytest.mark.parametrize("secret", [SECRET, "another"])
async def test_pictures_come_by_the_relay(tmp_path: Path, turn: Turn, secret: str) -> None:
    """Without UDP a stream runs over TURN alone, for whoever has the credentials."""
    place = tmp_path / "place"
    place.mkdir()
    pictures: list[Picture] = []
    with running(place, *turn.options(secret)) as service:
        async with Network.to(service.url, udp=False) as network:
            client = AsyncClient.open(
                network.url, API_KEY, on_picture=pictures.append,
                timeout=40 if secret == SECRET else 4,
            )  # fmt: skip
            if secret == SECRET:
                async with client as connected, connected.stream("a forest") as stream:
                    await until(lambda: len(pictures) > 5, seconds=30)
                    assert await stream.interact("at night") == "at night"
            else:
                with pytest.raises(errors.NegotiationError):
                    async with client:
                        raise AssertionError("connected without a relay")
            await until(lambda: service.held == 0, seconds=5)


def test_credentials() -> None:
    """Those that a service hands out say until when they hold, and are never shown."""
    (server,) = relay_servers(("turn:relay.example.org",), SECRET)
    until_when, _, _ = (server.username or "").partition(":")
    assert int(until_when) > 0
    assert server.credential is not None
    assert server.credential not in repr(server)
    assert relay_servers((), "") == []


def test_wrong_options(tmp_path: Path) -> None:
    """What is no TURN server, or has no secret, is refused with the next thing to type."""
    with pytest.raises(errors.SettingError, match="is no TURN server"):
        relays(["stun:relay.example.org"], None)
    with pytest.raises(errors.SettingError, match="needs a secret") as caught:
        relays(["turn:relay.example.org"], None)
    assert "--turn-secret-file" in caught.value.hint
    with pytest.raises(errors.SettingError, match="cannot be read"):
        relays(["turn:relay.example.org"], tmp_path / "missing")
    assert relays([], None) == ((), "")


async def test_a_dead_stun_server_is_not_waited_for() -> None:
    """Aioice alone would wait 5 s for it, at each end."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        dead = [IceServer(urls=f"stun:127.0.0.1:{silent.getsockname()[1]}")]
        track = PictureTrack(request_keyframe=lambda: None)
        ignored = {"on_message": lambda _: None}
        loop = asyncio.get_running_loop()
        async with (
            Streamer.open(
                track, ice_servers=[], request_keyframe=lambda: None, on_state=lambda _: None,
                line=BitrateController(BITRATE, loop.time), **ignored,
            ) as (_, offer),
            Peer.open(dead, on_picture=lambda *_, **__: None, **ignored) as peer,
        ):  # fmt: skip
            began = loop.time()
            answer = await peer.answer(offer)
            assert loop.time() - began < 4
        assert "127.0.0.1" in answer.sdp
