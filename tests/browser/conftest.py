"""A real JupyterLab and a real Chromium."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PageTimeoutError

from odyssey_nb.service.worlds.test_pattern import read
from tests.conftest import wait_until
from tests.lab import Lab, running_lab


@pytest.fixture(scope="session")
def one_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run one JupyterLab for all tests."""
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def lab(one_lab: Lab) -> Iterator[Lab]:
    """The JupyterLab; the test's kernels end with it, and must leave no streamer held."""
    yield one_lab
    one_lab.end_kernels()
    if list((one_lab.home / "runtime").glob("service-*.json")):
        one_lab.service().wait_free(seconds=3)


@dataclass
class Notebook:
    """A notebook that is open in the page."""

    page: Page
    lab: Lab
    name: str

    def wait_idle(self) -> None:
        """Wait until it is open and its kernel waits for a cell."""
        self.page.locator(".jp-Notebook").wait_for(timeout=60_000)
        # Without a saved preference JupyterLab asks which kernel to use.
        idle = self.page.get_by_title("Kernel status: Idle").or_(self.page.get_by_text("| Idle"))
        select = self.page.locator(".jp-Dialog .jp-mod-accept")
        select.or_(idle).first.wait_for(timeout=60_000)
        if select.is_visible():
            select.click()
        idle.first.wait_for(timeout=60_000)

    def save(self) -> None:
        """Save it from the keyboard, and wait until its outputs are in the file."""
        file = self.lab.folder / self.name
        self.page.keyboard.press("Control+s")
        wait_until(lambda: '"output_type"' in file.read_text(), what="the saved outputs")

    def run_all(self) -> None:
        """Run every cell, from the menu."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    def select(self, cell: int) -> None:
        """Select a cell, in command mode; cells count from 0."""
        self.page.locator(".jp-Notebook-cell .jp-InputPrompt").nth(cell).click()

    def run(self, cell: int) -> None:
        """Run one cell."""
        self.select(cell)
        self.page.keyboard.press("Control+Enter")

    def choose(self, menu: str, command: str) -> None:
        """Choose a command from a menu of the menu bar."""
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(f'[data-command="{command}"]').click()

    def restart(self) -> None:
        """Restart the kernel, from the menu."""
        self.choose("Kernel", "kernelmenu:restart")
        self.page.locator(".jp-Dialog .jp-mod-warn").click()

    @property
    def stage(self) -> Any:
        """What stands in the middle of the picture."""
        return self.player.locator(".odyssey-stage")

    @property
    def player(self) -> Any:
        """The Player's root element."""
        return self.page.locator(".odyssey-player").first

    @property
    def seq(self) -> int:
        """The newest painted picture."""
        return int(self.player.locator("canvas").get_attribute("data-seq") or 0)

    def wait_live(self, *, pictures: int = 3, seconds: float = 60) -> None:
        """Wait until so many pictures are painted."""
        expect(self.player).to_have_attribute("data-streaming", "true", timeout=seconds * 1000)
        try:
            self.page.wait_for_function(
                "n => Number(document.querySelector('.odyssey-player canvas').dataset.seq) >= n",
                arg=pictures,
                timeout=seconds * 1000,
            )
        except PageTimeoutError as error:
            said = self.player.inner_text()
            state = self.player.evaluate("it => [{...it.dataset}, document.visibilityState]")
            raise AssertionError(f"picture {self.seq} of {pictures}: {state}, {said!r}") from error


def painted(player: Locator) -> tuple[int, int]:
    """Read picture number and prompt hash of the test pattern back from what a Player shows."""
    data = player.locator("canvas").evaluate(
        """async (canvas) => {
            const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
            return Array.from(new Uint8Array(await blob.arrayBuffer()));
        }"""
    )
    return read(np.asarray(Image.open(io.BytesIO(bytes(data))).convert("RGB")))


OpenNotebook = Callable[..., Notebook]


@pytest.fixture
def open_notebook(lab: Lab, page: Page) -> OpenNotebook:
    """Write the given cells as a notebook and open it: ``open_notebook("x = 1", "x")``."""
    return functools.partial(open_in, page, lab)


def open_in(
    page: Page, lab: Lab, *cells: str, name: str = "test.ipynb", alone: bool = True
) -> Notebook:
    """Open a notebook of these cells in `page`; without any, the one that there is."""
    if cells:
        lab.write(name, *cells)
    page.goto(lab.address(name, alone=alone))
    notebook = Notebook(page, lab, name)
    notebook.wait_idle()
    return notebook
