"""The codec: what goes in comes out, and what is no message is told as such."""

from __future__ import annotations

import dataclasses
import json
import types
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_nb.wire import control, crowd, link, signaling, stream, streamer
from odyssey_nb.wire.codec import Codec, MalformedMessageError, decode_body, encode_body

CODECS: dict[str, Codec[Any]] = {
    "signaling.from_server": signaling.from_server,
    "signaling.from_client": signaling.from_client,
    "stream.from_client": stream.from_client,
    "stream.from_streamer": stream.from_streamer,
    "streamer.from_control": streamer.from_control,
    "streamer.from_streamer": streamer.from_streamer,
    "link.from_kernel": link.from_kernel,
    "link.from_sidecar": link.from_sidecar,
    "crowd.from_page": crowd.from_page,
    "crowd.to_page": crowd.to_page,
    "crowd.from_owner": crowd.from_owner,
    "crowd.to_owner": crowd.to_owner,
}
MESSAGES = [
    pytest.param(codec, kind, id=f"{name}-{kind.__name__}")
    for name, codec in CODECS.items()
    for kind in codec.messages
]
BODIES = [
    each
    for each in vars(control).values()
    if dataclasses.is_dataclass(each) and each.__module__ == control.__name__
]

quick = settings(max_examples=60, deadline=None)

integers = st.integers(-(2**63), 2**64 - 1)  # what MessagePack carries
numbers = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=20)
scalars = st.none() | st.booleans() | integers | numbers | texts
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for what a field with this type hint may hold."""
    simple = {str: texts, int: integers, float: numbers, bool: st.booleans(),
              bytes: st.binary(max_size=40), object: anything, type(None): st.none()}  # fmt: skip
    if hint in simple:
        return simple[hint]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    if dataclasses.is_dataclass(hint):
        return messages(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return st.one_of([values(each) for each in args])
    if origin is list:
        return st.lists(values(args[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(values(args[0]), values(args[1]), max_size=2)
    if origin is Annotated:
        return st.integers(hint.__metadata__[0].ge, hint.__metadata__[0].le)
    raise NotImplementedError(hint)


def messages(kind: type) -> st.SearchStrategy[Any]:
    """Return a strategy for messages of class `kind`."""
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{n: values(h) for n, h in hints.items() if get_origin(h) != Literal})


def required(kind: type) -> list[str]:
    """Return the fields that a message of class `kind` must have."""
    missing = dataclasses.MISSING
    return [
        each.name
        for each in dataclasses.fields(kind)
        if each.default is missing and each.default_factory is missing
    ]


def known(codec: Codec[Any]) -> set[str]:
    """Return the types that `codec` knows."""
    return {kind.__dataclass_fields__["type"].default for kind in codec.messages}


def sample(hint: Any) -> Any:
    """Return one plain value for a type hint, the same every time."""
    simple = {str: "x", int: 7, float: 0.5, bool: True, bytes: b"x", object: "x"}
    if hint in simple:
        return simple[hint]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return next(iter(hint))
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint, include_extras=True)
        return hint(**{n: sample(h) for n, h in hints.items() if get_origin(h) != Literal})
    if get_origin(hint) is dict:
        return {"x": sample(get_args(hint)[1])}
    first = sample(get_args(hint)[0])
    return [first] if get_origin(hint) is list else first


@pytest.mark.parametrize(("codec", "kind"), MESSAGES)
def test_every_message_has_its_place(codec, kind):
    """A message survives both encodings, with every field set and with only the needed ones."""
    message = sample(kind)
    needed = {each: getattr(message, each) for each in required(kind)}
    for each in (message, kind(**needed)):
        assert codec.from_json(codec.to_json(each)) == each
        assert codec.from_bytes(codec.to_bytes(each)) == each


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@quick
@given(data=st.data())
def test_round_trip(codec, data):
    """Whatever a message holds survives JSON and MessagePack."""
    message = data.draw(st.one_of([messages(kind) for kind in codec.messages]))
    assert codec.from_json(codec.to_json(message)) == message
    assert codec.from_json(codec.to_json(message).encode()) == message
    assert codec.from_bytes(codec.to_bytes(message)) == message


@quick
@given(body=st.one_of([messages(kind) for kind in BODIES]))
def test_body_round_trip(body):
    """Whatever an HTTP body holds survives its encoding."""
    assert decode_body(encode_body(body), type(body)) == body


@pytest.mark.parametrize(("codec", "kind"), MESSAGES)
def test_unknown_fields_are_ignored(codec, kind):
    """Fields that a message does not have change nothing, in either encoding."""
    message = sample(kind)
    extra = {"": None, "x": [1, {"y": 2}], "Type": "offer", "typ\xe9": -1.5}
    assert codec.from_json(json.dumps(json.loads(codec.to_json(message)) | extra)) == message
    packed = msgspec.msgpack.decode(codec.to_bytes(message)) | extra
    assert codec.from_bytes(msgspec.msgpack.encode(packed)) == message


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@quick
@given(kind=texts, fields=st.dictionaries(texts, anything, max_size=3))
def test_unknown_type_is_none(codec, kind, fields):
    """A message of a type that nobody here knows is none, whatever else is in it."""
    message = fields | {"type": f"{kind}?"}
    assert codec.from_json(json.dumps(message)) is None
    assert codec.from_bytes(msgspec.msgpack.encode(message)) is None


@quick
@given(fields=anything.filter(lambda each: not isinstance(each, dict) or "type" not in each))
def test_object_without_type_is_malformed(fields):
    """What is no object, or an object without a type, is refused."""
    with pytest.raises(MalformedMessageError):
        link.from_kernel.from_json(json.dumps(fields))
    with pytest.raises(MalformedMessageError):
        link.from_kernel.from_bytes(msgspec.msgpack.encode(fields))


@pytest.mark.parametrize(("codec", "kind"), MESSAGES)
def test_every_field_is_looked_at(codec, kind):
    """A message that lacks a field it must have, or has an object in any field, is refused."""
    fields = json.loads(codec.to_json(sample(kind)))
    spoilt = [{k: v for k, v in fields.items() if k != each} for each in required(kind)]
    spoilt += [fields | {each.name: {"a": {}}} for each in dataclasses.fields(kind)]
    for each in spoilt:
        with pytest.raises(MalformedMessageError):
            codec.from_json(json.dumps(each))
        with pytest.raises(MalformedMessageError):
            codec.from_bytes(msgspec.msgpack.encode(each))


@quick
@given(noise=st.text(st.characters(exclude_categories=[])) | st.binary())
def test_noise_raises_nothing_else(noise):
    """Whatever arrives is none or refused; even text that is no Unicode."""
    codec = link.from_kernel
    for decode in (
        [codec.from_json] if isinstance(noise, str) else [codec.from_json, codec.from_bytes]
    ):
        try:
            message = decode(noise)
        except MalformedMessageError:
            continue
        assert message is None


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@quick
@given(data=st.data())
def test_near_miss_raises_nothing_else(codec, data):
    """Objects of known types with fields of any kind are messages or refused."""
    kind = data.draw(st.sampled_from(codec.messages))
    names = [field.name for field in dataclasses.fields(kind)]
    fields = data.draw(st.dictionaries(st.sampled_from(names), anything))
    fields["type"] = kind.__dataclass_fields__["type"].default
    for decode, encoded in (
        (codec.from_json, json.dumps(fields)),
        (codec.from_bytes, msgspec.msgpack.encode(fields)),
    ):
        try:
            message = decode(encoded)
        except MalformedMessageError:
            continue
        assert type(message) is kind


@pytest.mark.parametrize(
    "text",
    ["", "\ud800", '"\\ud800"', "[" * 100_000, '{"a":' * 100_000, "1e999", "{} {}",
     '{"type": "offer", "sdp": "\\ud83d"}', b"\xff", b"\xef\xbb\xbf{}", b'{"type": "\xff"}',
     '{"type": "offer", "sdp": %s}' % ("9" * 5000)],
    ids=ascii,
)  # fmt: skip
def test_odd_text_is_malformed(text):
    """Lone surrogates, endless nesting and huge numbers are refused like any other nonsense."""
    with pytest.raises(MalformedMessageError):
        signaling.from_server.from_json(text)
    if isinstance(text, bytes):
        with pytest.raises(MalformedMessageError):
            decode_body(text, control.SessionToken)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\x81\x81\x01\x02\x03", b"\x91" * 100_000, b"\xdd\xff\xff\xff\xff",
     b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xffaa", b"\xd6\xff\xff\xff\xff\xff",
     b"\xc7\x0c\xff" + b"\xff" * 12, b"\x82\xa4type\xa5hello\x01\x02"],
    ids=lambda data: data[:12].hex(),
)  # fmt: skip
def test_odd_bytes_are_malformed(data):
    """Maps as keys, lengths without contents and bad timestamps are refused."""
    with pytest.raises(MalformedMessageError):
        link.from_kernel.from_bytes(data)


@quick
@given(
    fields=st.fixed_dictionaries(
        {"type": st.sampled_from(sorted(known(signaling.from_client)))},
        optional={
            "candidate": texts,
            "sdpMid": st.none() | texts,
            "sdpMLineIndex": st.none() | st.integers(),
            "sdp": texts,
            "prompt": texts,
        },
    )
)
def test_what_a_client_says_can_be_passed_on(fields):
    """Whatever the signaling socket accepts, the line to the streamer can carry."""
    try:
        message = signaling.from_client.from_json(json.dumps(fields))
    except MalformedMessageError:
        return
    if type(message) in streamer.from_control.messages:
        assert streamer.from_control.from_bytes(streamer.from_control.to_bytes(message)) == message


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_messages_lists_what_is_decoded(codec):
    """`messages` has one class for every type, each with a type of its own."""
    assert len(known(codec)) == len(codec.messages) > 0
    for kind in codec.messages:
        assert kind.__dataclass_params__.frozen
        assert hasattr(kind, "__slots__")


def test_type_decides():
    """The same type means the message of the codec that is asked."""
    text = '{"type": "answer", "sdp": "v=0", "id": 1}'
    assert signaling.from_client.from_json(text) == signaling.Answer(sdp="v=0")
    assert link.from_sidecar.from_json(text) == link.Answer(id=1)
    assert signaling.from_server.from_json(text) is None


def test_complaint_does_not_repeat_what_came():
    """The text of a refusal has no token, prompt or key from the message."""
    with pytest.raises(MalformedMessageError) as caught:
        stream.from_client.from_json('{"type": "update", "prompt": ["secret"]}')
    assert "secret" not in str(caught.value)
    with pytest.raises(MalformedMessageError) as caught:
        decode_body(b'{"api_key": ["ody_secret"]}', control.KeyExchange)
    assert "secret" not in str(caught.value)
