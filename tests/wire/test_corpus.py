"""The golden messages: what the official SDKs and servers say, and what it means here."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from odyssey_nb.wire import control, recordings, signaling, simulations, stream
from odyssey_nb.wire.codec import Codec, MalformedMessageError, decode_body, encode_body

CORPUS = Path(__file__).with_name("corpus")
FILES = {path.stem: json.loads(path.read_text()) for path in sorted(CORPUS.glob("*.json"))}
EXAMPLES = [
    pytest.param(example, id=f"{stem}: {example['name']}")
    for stem, file in FILES.items()
    for example in file["messages"]
]
UNDERSTOOD = [each for each in EXAMPLES if isinstance(each.values[0]["means"], dict)]
CODECS: dict[str, Codec[Any]] = {
    "client to server": signaling.from_client,
    "server to client": signaling.from_server,
    "client to streamer": stream.from_client,
    "streamer to client": stream.from_streamer,
}
BODIES = {
    name: each
    for module in (control, recordings, simulations)
    for name, each in vars(module).items()
    if dataclasses.is_dataclass(each) and each.__module__ == module.__name__
}


def data(example: dict[str, Any]) -> str | bytes:
    """Return what arrives: text, or bytes of a binary frame or an HTTP body."""
    binary = example.get("frame") == "binary" or example["direction"] in {"request", "response"}
    return example["text"].encode() if binary else example["text"]


def decode(example: dict[str, Any]) -> Any:
    """Decode an example as the room that it is meant for does."""
    if example["direction"] in CODECS:
        return CODECS[example["direction"]].from_json(data(example))
    means = example["means"]
    name = means["class"] if isinstance(means, dict) else example["class"]
    return decode_body(data(example), BODIES[name])


def fields(kind: type, given: dict[str, Any]) -> dict[str, Any]:
    """Return every field of a message of class `kind`: those given, and defaults for the rest."""
    whole = {}
    for field in dataclasses.fields(kind):
        if field.name in given:
            whole[field.name] = given[field.name]
        elif field.default is not dataclasses.MISSING:
            whole[field.name] = field.default
        else:
            made = field.default_factory()
            whole[field.name] = dataclasses.asdict(made) if dataclasses.is_dataclass(made) else made
    return whole


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(example):
    """A golden message decodes to exactly what it means."""
    means = example["means"]
    if means == "malformed":
        with pytest.raises(MalformedMessageError):
            decode(example)
        return
    decoded = decode(example)
    if means is None:
        assert decoded is None
        return
    assert type(decoded).__name__ == means["class"]
    given = {name: value for name, value in means.items() if name != "class"}
    assert dataclasses.asdict(decoded) == fields(type(decoded), given)


@pytest.mark.parametrize("example", UNDERSTOOD)
def test_what_we_say_says_no_more(example):
    """What we encode in a golden message's place means the same, and has no null in it."""
    decoded = decode(example)
    if example["direction"] in CODECS:
        text = CODECS[example["direction"]].to_json(decoded)
    else:
        text = encode_body(decoded).decode()
    assert decode({**example, "text": text}) == decoded
    assert "null" not in text


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            stream.InteractiveStreamStart(prompt="fog", portrait=False),
            {"type": "interactive_stream_start", "prompt": "fog", "portrait": False,
             "broadcast": False},
        ),
        (stream.Update(prompt="snow"), {"type": "update", "prompt": "snow"}),
        (stream.InteractiveStreamEnd(), {"type": "interactive_stream_end"}),
        (signaling.Answer(sdp="v=0"), {"type": "answer", "sdp": "v=0"}),
        (signaling.KeepAlive(), {"type": "keepalive"}),
        (signaling.ClientDisconnecting(), {"type": "client_disconnecting"}),
        (control.SessionRequest(), {}),
        (control.IceServer(urls="stun:a"), {"urls": "stun:a"}),
        (control.IceConfig(iceServers=[control.IceServer(urls="stun:a")]),
         {"iceServers": [{"urls": "stun:a"}]}),
    ],
    ids=lambda each: type(each).__name__ if dataclasses.is_dataclass(each) else "",
)  # fmt: skip
def test_what_a_client_sends(message, text):
    """Our own messages have the keys that the JavaScript SDK's have, and no others."""
    assert json.loads(encode_body(message)) == text


@pytest.mark.parametrize(
    ("direction", "codec"), CODECS.items(), ids=[each.replace(" ", "-") for each in CODECS]
)
def test_every_message_has_an_example(direction, codec):
    """Each message class of a direction is in the corpus, and so are unknown and malformed ones."""
    means = [
        example["means"]
        for file in FILES.values()
        for example in file["messages"]
        if example["direction"] == direction
    ]
    assert {each.__name__ for each in codec.messages} == {
        each["class"] for each in means if isinstance(each, dict)
    }
    assert None in means
    assert "malformed" in means


def test_every_body_has_an_example():
    """Each class of an HTTP body is in the corpus."""
    named = {
        example["means"]["class"]
        for stem in ("control", "recordings", "simulations")
        for example in FILES[stem]["messages"]
        if isinstance(example["means"], dict)
    }
    assert named == set(BODIES)


@pytest.mark.parametrize("stem", FILES)
def test_examples_are_well_described(stem):
    """Every example has the documented keys and a name of its own."""
    messages = FILES[stem]["messages"]
    needed, allowed = {"name", "source", "direction", "text", "means"}, {"frame", "class"}
    assert all(needed <= set(each) <= needed | allowed for each in messages)
    names = [(each["direction"], each["name"]) for each in messages]
    assert len(names) == len(set(names))
