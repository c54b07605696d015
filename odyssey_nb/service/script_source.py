"""Scripts by URL: fetched with limits, and only from where anybody could fetch them.

The service may stand where its callers cannot reach, so a URL is not followed to addresses that are
not public. Names are resolved once, and what was checked is what is connected to.
"""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from yarl import URL

from odyssey_nb.errors import ScriptError

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult

LARGEST = 40 * 1024 * 1024  # bytes: one image of 25 MiB as base64, and words
FETCH_SECONDS = 10.0


async def fetch(url: str, *, allow_private: bool = False) -> object:
    """Return the JSON at `url`. Redirects are not followed.

    Args:
        url: Of http or https.
        allow_private: Also from addresses that are not public, this machine's own among them.

    Raises:
        ScriptError: It cannot be fetched, or is no JSON.
    """
    try:
        found: object = msgspec.json.decode(await _download(url, allow_private=allow_private))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ScriptError("script_url: what is there is no JSON") from error
    return found


async def _download(url: str, *, allow_private: bool) -> bytes:
    target = _target(url)
    if not allow_private and target.host is not None and not _may_be_public(target.host):
        raise ScriptError("script_url: its address is not public")
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    connector = aiohttp.TCPConnector(resolver=None if allow_private else _PublicResolver())
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as http,
            http.get(target, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise ScriptError(f"script_url: it answers {response.status}, not 200")
            content = bytearray()
            async for part in response.content.iter_chunked(1 << 16):
                content += part
                if len(content) > LARGEST:
                    raise ScriptError(f"script_url: more than {LARGEST // 2**20} MiB")
            return bytes(content)
    except _NotPublicError:
        raise ScriptError("script_url: its address is not public") from None
    except TimeoutError:
        raise ScriptError(f"script_url: nothing within {FETCH_SECONDS:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError):
        raise ScriptError("script_url: it cannot be fetched") from None


def _target(url: str) -> URL:
    try:
        target = URL(url)
    except ValueError:
        raise ScriptError("script_url: this is no URL") from None
    if target.scheme not in {"http", "https"} or not target.host:
        raise ScriptError("script_url: only http and https URLs are fetched")
    return target


def _may_be_public(host: str) -> bool:
    """Whether `host` is a public address, or a name, which is looked at when it is resolved."""
    try:
        return is_public(host)
    except ValueError:
        # "127.1" and "2130706433" are addresses too, and aiohttp resolves nothing that is digits.
        return not host.rstrip(".").rpartition(".")[2].isdigit()


def is_public(address: str) -> bool:
    """Return whether anybody can reach this IP address.

    Raises:
        ValueError: It is no address.
    """
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_global and not found.is_multicast


class _NotPublicError(Exception):
    """A name leads to an address that is not public."""


class _PublicResolver(AbstractResolver):
    """Resolves names to public addresses."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of `host`, if all of them are public."""
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public(each["host"]) for each in found):
            raise _NotPublicError
        return found

    async def close(self) -> None:
        """There is nothing to close."""
