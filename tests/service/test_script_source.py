"""Scripts by URL: what is fetched, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from odyssey_nb.errors import ScriptError
from odyssey_nb.service import script_source
from odyssey_nb.service.script_source import fetch, is_public


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A server with a good script, and with everything that may be wrong with one."""

    async def huge(_: web.Request) -> web.Response:
        return web.Response(body=b"[" + b" " * 2000 + b"]")

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("/good")

    def says(text: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(text=text)

        return answer

    app = web.Application()
    app.router.add_get("/good", says('[{"timestamp_ms": 0}]'))
    app.router.add_get("/words", says("a forest"))
    app.router.add_get("/huge", huge)
    app.router.add_get("/moved", moved)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://localhost:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_script_is_fetched(site: str) -> None:
    """Where private addresses are allowed, this machine's own may be asked."""
    assert await fetch(f"{site}/good", allow_private=True) == [{"timestamp_ms": 0}]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/words", "no JSON"),
        ("/huge", "more than"),
        ("/moved", "answers 302"),
        ("/nowhere", "answers 404"),
    ],
)
async def test_what_is_no_script(
    site: str, path: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is one line that begins with the field's name."""
    monkeypatch.setattr(script_source, "LARGEST", 1000)
    with pytest.raises(ScriptError, match=f"^script_url: .*{says}"):
        await fetch(site + path, allow_private=True)


async def test_private_addresses(site: str) -> None:
    """By name or by number, in any notation, they are refused unless allowed."""
    port = site.rpartition(":")[2]
    for host in ("localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1"):
        with pytest.raises(ScriptError, match=r"^script_url: its address is not public"):
            await fetch(f"http://{host}:{port}/good")


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ftp://a/b", "http://", "http://["])
async def test_other_urls(url: str) -> None:
    """Only http and https are fetched."""
    with pytest.raises(ScriptError, match=r"^script_url: "):
        await fetch(url, allow_private=True)


async def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not answer is not waited for; nor is a port where nobody listens."""
    with pytest.raises(ScriptError, match="cannot be fetched"):
        await fetch("http://127.0.0.1:1/", allow_private=True)
    monkeypatch.setattr(script_source, "FETCH_SECONDS", 0.1)

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await forever.wait()
        writer.close()

    forever = asyncio.Event()
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ScriptError, match=r"nothing within 0\.1 s"):
        await fetch(f"http://127.0.0.1:{port}/", allow_private=True)
    forever.set()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1", True),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:192.168.0.1", False),
    ],
)
def test_public_addresses(address: str, *, public: bool) -> None:
    """Networks at home, of providers, of this link, and of everybody are told apart."""
    assert is_public(address) is public
