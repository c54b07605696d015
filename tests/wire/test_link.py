"""What is special about the messages between a kernel and its sidecar."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_nb.wire import link
from odyssey_nb.wire.view import Enter

KEY = "ody_0123456789abcdef"


def picture(**fields: object) -> link.Picture:
    """Return a picture; `fields` says what matters."""
    return link.Picture(
        **{"connection": "default", "stream": 1, "seq": 1, "follows": 0, "time": 0.0,
           "received": 0.0, "data": b""} | fields
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(key=st.text("0123456789abcdef", min_size=8), lease=st.text(max_size=5))
def test_connect_hides_the_key(key, lease):
    """No text of a connect request shows its key, so that a log may have it."""
    connect = link.Connect(
        id=1, connection="default", url="http://127.0.0.1:1", api_key=f"ody_{key}", timeout=45,
        lease=lease,
    )  # fmt: skip
    for text in (repr(connect), str(connect), f"{connect}", f"{[connect]}"):
        assert f"ody_{key}" not in text
        assert "default" in text
    assert link.from_kernel.from_bytes(link.from_kernel.to_bytes(connect)) == connect


@settings(max_examples=60, deadline=None)
@given(follows=st.integers(0, 10**6))
def test_picture_key(follows):
    """Decoding can start at a picture exactly when it follows none."""
    assert picture(seq=follows + 1, follows=follows).key is (follows == 0)


def test_what_lets_a_page_in_is_hidden():
    """The text of what lets a page in says neither token nor secret."""
    admit = link.Admit(
        id=1, connection="default", origin="http://127.0.0.1:8888", token="t0ken",
        secret="s3cret", timeout=10,
    )  # fmt: skip
    for text in (repr(admit), repr(Enter(token="t0ken", nonce="n"))):
        assert "t0ken" not in text
        assert "s3cret" not in text


def test_picture_hides_its_data():
    """The text of a picture is short, however large the picture is."""
    text = repr(picture(seq=7, data=b"\x00" * 100_000))
    assert "seq=7" in text
    assert len(text) < 300


def test_pictures_travel_within_an_answer():
    """Answers carry pictures to the byte."""
    pictures = [picture(seq=n, follows=n - 1, data=bytes([n]) * n) for n in range(1, 4)]
    answer = link.Answer(id=3, pictures=pictures)
    assert link.from_sidecar.from_bytes(link.from_sidecar.to_bytes(answer)).pictures == pictures


def test_messages_are_immutable():
    """A message cannot be changed on its way."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        picture().seq = 2


def test_both_sides_begin_with_hello():
    """Both directions know `Hello`, and every request has an id to be answered by."""
    hello = link.Hello(link=link.LINK_VERSION, version="0.1.0", pid=1)
    for codec in (link.from_kernel, link.from_sidecar):
        assert codec.from_bytes(codec.to_bytes(hello)) == hello
    requests = link.Request.__args__
    assert all("id" in each.__dataclass_fields__ for each in requests)
    others = set(link.from_kernel.messages) - set(requests)
    assert not [each for each in others if "id" in each.__dataclass_fields__]
