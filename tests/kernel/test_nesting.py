"""``asyncio.run`` in a cell, while it is switched on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import API_KEY, Service
from tests.kernel.conftest import Kernel, kernel_for

SCRIPT = """
import asyncio, time
from odyssey_nb.client.client import AsyncClient

async def main():
    async with AsyncClient.open() as client, client.stream("a forest") as stream:
        (row,) = await asyncio.to_thread(ody.sessions)
        assert await stream.interact("at night") == "at night"
        return row.session_id == client.session_id, row.here, row.status, row.where

async def wait():
    await asyncio.sleep(1)
    return time.monotonic()
"""


@pytest.fixture
def kernel(service: Service, machine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """A kernel whose scripts go to the service."""
    monkeypatch.setenv("ODYSSEY_API_URL", service.url)
    monkeypatch.setenv("ODYSSEY_API_KEY", API_KEY)
    kernel = kernel_for(machine, "kernel")
    yield kernel
    kernel.stop()


def test_scripts_run_in_cells(kernel: Kernel) -> None:
    """Off it fails as usual; on it works, twice, and what else is asked meanwhile is answered.

    What a script holds is in the list of sessions. Switched off, all of asyncio is as before.
    Without the package the error names what to type; where others have changed asyncio, what to do.
    """
    kernel.run(SCRIPT + "before = dict(vars(asyncio)), dict(vars(asyncio.tasks))")
    assert "cannot be called from a running event loop" in kernel.run("asyncio.run(wait())")
    assert "works in cells now" in kernel.run("%odyssey asyncio on")
    assert "already" in kernel.run("%odyssey asyncio on")

    client = kernel.client
    asked = [
        client.execute("first = asyncio.run(wait())"),
        client.kernel_info(),
        client.execute("second = time.monotonic()"),
    ]
    while asked:
        answer = client.get_shell_msg(timeout=30)
        asked.remove(answer["parent_header"]["msg_id"])
        assert answer["content"]["status"] == "ok"
    assert kernel.run("second > first") == "True"
    assert kernel.run("asyncio.run(main())") == "(True, True, 'streaming', 'this kernel')"
    assert "True" in kernel.run("asyncio.run(wait()) > second")

    assert "as usual" in kernel.run("%odyssey asyncio off")
    assert "cannot be called from a running event loop" in kernel.run("asyncio.run(wait())")
    assert kernel.run("(dict(vars(asyncio)), dict(vars(asyncio.tasks))) == before") == "True"
    assert kernel.run("await wait() > second") == "True"
    assert "works in cells now" in kernel.run("%odyssey asyncio on")
    assert kernel.run("asyncio.run(wait()) > second") == "True"

    kernel.run("%odyssey asyncio off")
    kernel.run("import sys; sys.modules['nest_asyncio2'] = sys.modules['nest_asyncio'] = None")
    assert 'pip install "odyssey-nb[asyncio]"' in kernel.run("%odyssey asyncio on")
    kernel.run("asyncio._nest_patched = True")
    assert "Restart the kernel" in kernel.run("%odyssey asyncio on")
    assert "as it was" in kernel.run("%odyssey asyncio off")


NESTED = """
import asyncio, sys
from importlib import metadata

real = metadata.version
metadata.version = lambda name: sys.argv[1] if name == "ipykernel" else real(name)

from odyssey_nb.kernel import nesting

async def inner():
    await asyncio.sleep(0)
    return "inner"

def tries():
    work = inner()
    try:
        return asyncio.run(work)
    except RuntimeError:
        work.close()
        return "refused"

async def main():
    before = [dict(vars(each)) for each in (asyncio, asyncio.events, asyncio.tasks)]
    said = [tries()]
    nesting.switch_on()
    said += [tries(), tries(), "nest_asyncio2" in sys.modules]
    nesting.switch_off()
    after = [dict(vars(each)) for each in (asyncio, asyncio.events, asyncio.tasks)]
    return [*said, tries(), after == before]

print(asyncio.run(main()))
"""


@pytest.mark.parametrize(("version", "second"), [("6.31.0", False), ("7.4.0", True)])
def test_each_kernel_has_the_package_that_suits_it(version: str, second: bool) -> None:
    """On ipykernel 6 it is nest_asyncio, on 7 nest_asyncio2; both are taken back wholly."""
    done = subprocess.run(
        [sys.executable, "-c", NESTED, version], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.stdout.strip() == str(["refused", "inner", "inner", second, "refused", True]), (
        done.stderr
    )
