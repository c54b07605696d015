"""The one codec for everything that crosses a process boundary.

A message is a frozen dataclass with a field ``type``. JSON carries the public protocol, MessagePack
the links between our own processes. Unknown fields are ignored and unknown types decode to
``None``, as both official SDKs do (protocol sections 3.3 and 5.2).
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Generic, TypeVar, cast

import msgspec

M = TypeVar("M")
UnsignedShort = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]


class MalformedMessageError(ValueError):
    """What arrived is not a message: no JSON object, no ``type``, or a field of the wrong kind."""


def _default_type(message: type[Any]) -> str:
    return cast("str", message.__dataclass_fields__["type"].default)


class Codec(Generic[M]):
    """Encodes and decodes a closed set of messages."""

    def __init__(self, *messages: type[M]) -> None:
        self._by_type = {_default_type(message): message for message in messages}

    @property
    def messages(self) -> tuple[type[M], ...]:
        """The message classes, in the order of declaration."""
        return tuple(self._by_type.values())

    def to_json(self, message: M) -> str:
        """Return `message` as one JSON text frame."""
        return encode_body(message).decode()

    def to_bytes(self, message: M) -> bytes:
        """Return `message` as MessagePack."""
        return msgspec.msgpack.encode(message)

    def from_json(self, text: str | bytes) -> M | None:
        """Return the message in `text`, or ``None`` when its type is unknown here.

        Raises:
            MalformedMessageError: `text` is not a JSON object with a known shape.
        """
        return self._convert(self._parse(msgspec.json.decode, text))

    def from_bytes(self, data: bytes) -> M | None:
        """Return the message in MessagePack `data`, or ``None`` when its type is unknown here."""
        return self._convert(self._parse(msgspec.msgpack.decode, data))

    @staticmethod
    def _parse(decode: Any, data: str | bytes) -> Any:
        try:
            return decode(data)
        # UnicodeError: a lone surrogate. TypeError: a map as a key, in msgspec before 0.20.
        except (msgspec.DecodeError, UnicodeError, RecursionError, TypeError) as error:
            raise MalformedMessageError("not a message") from error

    def _convert(self, fields: Any) -> M | None:
        if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
            raise MalformedMessageError("a message is an object with a type")
        message = self._by_type.get(fields["type"])
        if message is None:
            return None
        try:
            return msgspec.convert(fields, message)
        except (msgspec.ValidationError, RecursionError) as error:
            raise MalformedMessageError(f"{fields['type']}: {error}") from error


def decode_body(data: bytes, kind: type[M]) -> M:
    """Decode an HTTP body into `kind`, ignoring fields that it does not have.

    Raises:
        MalformedMessageError: The body is not JSON of that shape.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessageError(str(error)) from error


def encode_body(body: object) -> bytes:
    """Encode an HTTP body; fields that are ``None`` stay out, as in the official SDKs."""
    return msgspec.json.encode(_without_none(body))


def _without_none(value: object) -> object:
    if isinstance(value, list):
        return [_without_none(each) for each in value]
    if not dataclasses.is_dataclass(value):
        return value
    named = ((each.name, getattr(value, each.name)) for each in dataclasses.fields(value))
    return {name: _without_none(field) for name, field in named if field is not None}
