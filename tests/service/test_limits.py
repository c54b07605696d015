"""Limits as the command line gives them."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odyssey_nb.errors import SettingError
from odyssey_nb.service.limits import Limits

NAMES = [each.name for each in fields(Limits)]


def test_defaults_are_the_documented_ones() -> None:
    """Without options, the limits are those of the protocol, section 8."""
    assert Limits.parse([]) == Limits(
        concurrent_streams=5, stream_seconds=150, connection_seconds=3600, idle_seconds=900,
        heartbeat_seconds=40, lost_socket_seconds=40, negotiation_seconds=30,
        reservation_seconds=600, reclaim_seconds=40,
    )  # fmt: skip


def test_parse() -> None:
    """Each name takes a number, counts stay whole, and the last one given wins."""
    limits = Limits.parse(["stream_seconds=2.5", "concurrent_streams=2", "stream_seconds=3"])
    assert limits == Limits(stream_seconds=3, concurrent_streams=2)
    assert isinstance(limits.concurrent_streams, int)


@pytest.mark.parametrize(
    "text",
    ["nonsense=1", "", "=1", "stream_seconds", "stream_seconds=", "stream_seconds=-1",
     "stream_seconds=0", "stream_seconds=soon", "stream_seconds=nan", "concurrent_streams=1.5",
     "concurrent_streams=inf", "Stream_Seconds=1"],
)  # fmt: skip
def test_refused(text: str) -> None:
    """An unknown name and a value that is no positive number are refused in one line."""
    with pytest.raises(SettingError) as caught:
        Limits.parse([text])
    assert "\n" not in caught.value.one_line()
    assert caught.value.hint


@given(st.sampled_from(NAMES), st.integers(1, 10**6))
def test_every_limit_can_be_set(name: str, value: int) -> None:
    """Every field is an option, and setting one leaves the others alone."""
    limits = Limits.parse([f"{name}={value}"])
    changed = [each for each in NAMES if getattr(limits, each) != getattr(Limits(), each)]
    assert getattr(limits, name) == value
    assert changed in ([name], [])
