"""The HTTP API, asked with deadlines and answered with typed errors (protocol section 2)."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from odyssey_nb import errors
from odyssey_nb.client.crowd import CrowdSocket
from odyssey_nb.client.retry import with_scheme
from odyssey_nb.client.signaling import Signaling
from odyssey_nb.wire.codec import MalformedMessageError, decode_body, encode_body
from odyssey_nb.wire.control import (
    AccessToken,
    IceConfig,
    IceServer,
    KeyExchange,
    SessionGrant,
    SessionRequest,
    Sessions,
    SessionToken,
    SessionTokenRequest,
)
from odyssey_nb.wire.recordings import Recording, RecordingPage
from odyssey_nb.wire.simulations import NewSimulation, SimulationInfo, SimulationPage
from odyssey_nb.wire.usage import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from odyssey_nb.wire.script import Script

T = TypeVar("T")

REQUEST_SECONDS = 10.0
EXPIRY_MARGIN = 60.0  # a token this close to its end counts as expired

_LIMITS = {
    kind.code: kind
    for kind in (
        errors.ConcurrentLimitError,
        errors.MonthlyLimitError,
        errors.StreamLimitError,
        errors.SuspendedError,
        errors.RateLimitError,
        errors.SimulationQueueError,
    )
}


class Control:
    """An account's view of the API. An instance exists only while its HTTP session is open."""

    def __init__(self, http: aiohttp.ClientSession, url: str, api_key: str) -> None:
        self._http, self.url, self._api_key = http, url, api_key
        self._token: AccessToken | None = None
        self._token_until = 0.0

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, api_key: str) -> AsyncIterator[Control]:
        """Open an HTTP session for the API at `url`; nothing is sent yet."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            yield cls(http, url, api_key)

    async def authenticate(self) -> None:
        """Exchange the key for a token, unless one is still good.

        Raises:
            AuthError: The key is wrong.
            ConnectError: The service does not answer, or not as it should.
        """
        if self._token is None or time.monotonic() >= self._token_until:
            body = KeyExchange(api_key=self._api_key)
            token = await self._ask("POST", "/auth/token", AccessToken, body, signed=False)
            self._token = token
            self._token_until = time.monotonic() + token.expires_in - EXPIRY_MARGIN

    async def access_token(self) -> str:
        """Return the token that the key is exchanged for; see `authenticate` for errors."""
        await self.authenticate()
        assert self._token is not None
        return self._token.access_token

    async def request_session(self) -> SessionGrant:
        """Reserve a streamer.

        Raises:
            NoStreamerError: None is free now.
            LimitError: The account's limits refuse it.
        """
        return await self._ask("POST", "/sessions/request", SessionGrant, SessionRequest())

    async def session_token(self, session_id: str) -> str:
        """Return a fresh token for the session's signaling socket.

        Raises:
            NotFoundError: There is no such session any more.
        """
        body, missing = SessionTokenRequest(session_id=session_id), errors.NotFoundError
        answer = await self._ask("POST", "/sessions/token", SessionToken, body, missing=missing)
        return answer.session_token

    def signaling(
        self, url: str, session_id: str, token: str
    ) -> AbstractAsyncContextManager[Signaling]:
        """Open a session's socket; see `Signaling.open`."""
        return Signaling.open(self._http, url, session_id, token)

    @asynccontextmanager
    async def crowd(self, stream_id: str) -> AsyncIterator[CrowdSocket]:
        """Open the socket of a stream's crowd (our local service only); see `CrowdSocket.open`."""
        token = await self.access_token()
        async with CrowdSocket.open(self._http, self.url, stream_id, token) as crowd:
            yield crowd

    async def sessions(self) -> Sessions:
        """List the account's live sessions (our local service only)."""
        return await self._ask("GET", "/sessions", Sessions)

    async def end_session(self, session_id: str) -> None:
        """End one of the account's sessions without its socket (our local service only).

        Raises:
            NotFoundError: There is none.
        """
        path = f"/sessions/{quote(session_id, safe='')}"
        await self._ask("DELETE", path, dict, missing=errors.NotFoundError)

    async def usage(self) -> Usage:
        """Return what the account has used and may use (our local service only).

        Raises:
            NotFoundError: The service does not tell.
        """
        return await self._ask("GET", "/usage", Usage, missing=errors.NotFoundError)

    async def recordings(self, *, limit: int = 50, offset: int = 0) -> RecordingPage:
        """List the account's recordings, newest first; `limit` is at most 100."""
        path = f"/stream-recordings?limit={limit}&offset={offset}"
        return await self._ask("GET", path, RecordingPage)

    async def recording(self, stream_id: str) -> Recording:
        """Return where the files of a stream's recording are, for a while.

        Raises:
            NotFoundError: There is none, or it is somebody else's.
        """
        path = f"/recordings/{quote(stream_id, safe='')}"
        return await self._ask("GET", path, Recording, missing=errors.NotFoundError)

    async def delete_recording(self, stream_id: str) -> None:
        """Remove a recording (our local service only).

        Raises:
            NotFoundError: There is none, or it is somebody else's.
        """
        path = f"/recordings/{quote(stream_id, safe='')}"
        await self._ask("DELETE", path, dict, missing=errors.NotFoundError)

    async def simulate(
        self, scripts: list[Script], *, portrait: bool, bypass: bool | None = None
    ) -> SimulationInfo:
        """Submit a simulation of one script, or of several.

        Raises:
            PrivilegeError: The account may not bypass the expansion of prompts.
            ScriptError: The service refuses a script; the message names the entry.
            SimulationQueueError: The account has as many waiting and running as it may.
        """
        body = NewSimulation(
            portrait=portrait,
            script=scripts[0] if len(scripts) == 1 else None,
            scripts=scripts if len(scripts) > 1 else None,
            bypass_vlm_expansion=bypass,
        )
        return await self._ask(
            "POST",
            "/simulation-jobs",
            SimulationInfo,
            body,
            refused=errors.ScriptError,
            forbidden=errors.PrivilegeError,
        )

    async def simulation(self, job_id: str) -> SimulationInfo:
        """Return how far a simulation has come, and where its results are.

        Raises:
            NotFoundError: There is none, or it is somebody else's.
        """
        path = f"/simulation-jobs/{quote(job_id, safe='')}"
        return await self._ask("GET", path, SimulationInfo, missing=errors.NotFoundError)

    async def simulations(self, *, limit: int = 20, offset: int = 0) -> SimulationPage:
        """List the account's simulations, newest first; `limit` is at most 100."""
        path = f"/simulation-jobs?limit={limit}&offset={offset}"
        return await self._ask("GET", path, SimulationPage)

    async def cancel_simulation(self, job_id: str) -> None:
        """Cancel a simulation that has not made a picture yet.

        Raises:
            CannotCancelError: It has, or is over.
            NotFoundError: There is none, or it is somebody else's.
        """
        await self._ask(
            "DELETE",
            f"/simulation-jobs/{quote(job_id, safe='')}",
            dict,
            missing=errors.NotFoundError,
            refused=errors.CannotCancelError,
        )

    async def download(self, url: str | None, *, progress: str = "") -> bytes:
        """Return what is at a signed URL, with a progress bar called `progress` if that is given.

        Raises:
            NotFoundError: The service names no such file, or its URL has expired.
            ConnectError: It could not be fetched.
        """
        from tqdm.auto import tqdm  # here, because the sidecar has no use for it

        if url is None:
            raise errors.NotFoundError("the recording has no such file")
        parts: list[bytes] = []
        try:
            timeout = aiohttp.ClientTimeout(total=None, sock_read=REQUEST_SECONDS)
            async with self._http.get(url, timeout=timeout) as response:
                if response.status != 200:
                    raise errors.NotFoundError("the file is not there any more")
                with tqdm(
                    total=response.content_length, desc=progress, unit="B", unit_scale=True,
                    disable=not progress, leave=False, delay=2,
                ) as bar:  # fmt: skip
                    async for part in response.content.iter_chunked(1 << 18):
                        parts.append(part)
                        bar.update(len(part))
        except (aiohttp.ClientError, TimeoutError):
            # Without its cause: that may hold the URL, and the URL is signed.
            raise errors.ConnectError("the download broke off") from None
        return b"".join(parts)

    async def part(self, url: str | None, start: int, length: int) -> tuple[bytes, int]:
        """Return at most `length` bytes of what is at a signed URL, and how many there are in all.

        Raises:
            NotFoundError: The service names no such file, or its URL has expired.
            ConnectError: It could not be fetched.
        """
        if url is None:
            raise errors.NotFoundError("the recording has no such file")
        wanted = {"Range": f"bytes={start}-{start + length - 1}"}
        try:
            async with self._http.get(url, headers=wanted) as response:
                if response.status not in {200, 206}:
                    raise errors.NotFoundError("the file is not there any more")
                whole = response.headers.get("Content-Range", "").rpartition("/")[2]
                if response.status == 200 or not whole.isdecimal():
                    raise errors.ConnectError("the storage hands files out in one piece only")
                return await response.read(), int(whole)
        except (aiohttp.ClientError, TimeoutError):
            # Without its cause: that may hold the URL, and the URL is signed.
            raise errors.ConnectError("the download broke off") from None

    async def ice_servers(self, signaling_url: str) -> list[IceServer]:
        """Return the ICE servers that the signaling server names; none on any failure."""
        return await ice_servers(self._http, with_scheme(signaling_url, "http"))

    async def _ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        body: object = None,
        *,
        signed: bool = True,
        missing: type[errors.OdysseyNBError] = errors.ConnectError,
        refused: type[errors.OdysseyNBError] = errors.ConnectError,
        forbidden: type[errors.OdysseyNBError] = errors.AuthError,
    ) -> T:
        if signed:
            await self.authenticate()
            assert self._token is not None
        headers = {"Content-Type": "application/json"}
        if signed and self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.access_token}"
        data = None if body is None else encode_body(body)
        try:
            async with self._http.request(
                method, self.url + path, data=data, headers=headers
            ) as response:
                content, status = await response.read(), response.status
                retry_after = response.headers.get("Retry-After", "")
        except TimeoutError as error:
            raise errors.ConnectError(f"{self.url} did not answer in time") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise errors.ConnectError(f"nothing answers at {self.url}") from error
        if not 200 <= status < 300:
            if status == 401 and signed:
                self._token = None
            raise _refusal(status, content, retry_after, missing, refused, forbidden)
        try:
            return decode_body(content or b"{}", kind)
        except MalformedMessageError as error:
            raise errors.ConnectError(f"{self.url} does not speak the protocol") from error


async def ice_servers(http: aiohttp.ClientSession, url: str) -> list[IceServer]:
    """Return the ICE servers that the server at `url` names; none on any failure."""
    try:
        async with http.get(f"{url}/config") as response:
            return decode_body(await response.read(), IceConfig).iceServers
    except (aiohttp.ClientError, TimeoutError, MalformedMessageError):
        return []


def _refusal(
    status: int,
    content: bytes,
    retry_after: str,
    missing: type[errors.OdysseyNBError],
    refused: type[errors.OdysseyNBError],
    forbidden: type[errors.OdysseyNBError],
) -> errors.OdysseyNBError:
    """Return the error for a refusal; decided by status and code, never by its words.

    `missing` is what a 404 means for the request, `refused` what a 400, 413 or 422 does, and
    `forbidden` what a 403 does.
    """
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    detail = body.get("detail", body) if isinstance(body, dict) else None
    text = detail if isinstance(detail, str) else ""
    if status in {401, 403}:
        denied = errors.AuthError if status == 401 else forbidden
        return denied((text or "the API key was refused").rstrip(".").lower())
    if status == 429:
        fields = detail if isinstance(detail, dict) else {}
        kind = _LIMITS.get(str(fields.get("error") or fields.get("code")), errors.LimitError)
        limit = kind(str(fields.get("message") or text or "the account's limit is reached"))
        details = fields.get("details")
        wait = details.get("retry_after_seconds") if isinstance(details, dict) else None
        if isinstance(wait, (int, float)):
            limit.retry_after = float(wait)
        elif retry_after.isdecimal():  # it may also be a date, which nobody sends
            limit.retry_after = float(retry_after)
        return limit
    if status == 503:
        return errors.NoStreamerError("no streamer is free")
    if status == 404:
        return missing(text or "the service does not know that")
    if status in {400, 413, 422} and refused is not errors.ConnectError:
        return refused(text or f"the service answered {status}")
    return errors.ConnectError(f"the service answered {status}{': ' + text if text else ''}")
