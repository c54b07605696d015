"""A notebook in a page whose requests nobody notes.

Playwright has the browser keep the address of every request of its pages, and up to 200 MB of what
came: each poster, whose address is the picture itself, and each icon that a busy kernel puts in the
tab. A page that is measured for its growth must do without.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from tests.conftest import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.lab import Lab

SECONDS = 60.0  # for whatever a page does

_IDLE = """document.querySelector('[title*="Kernel status: Idle"]') !== null
|| document.body.innerText.includes('| Idle')"""
# Without a saved preference JupyterLab asks which kernel to use.
_READY = f"document.querySelector('.jp-Dialog .jp-mod-accept')?.click() ?? ({_IDLE})"
_LIVE = """(player => player?.dataset.streaming === 'true'
&& Number(player.querySelector('canvas').dataset.seq) >= 3
)(document.querySelector('.odyssey-player'))"""
_PROMPT = "document.querySelectorAll('.jp-Notebook-cell .jp-InputPrompt')[%d]"
_PLACE = """(prompt => {
  prompt.scrollIntoView({ block: 'nearest' });
  const { x, y, width, height } = prompt.getBoundingClientRect();
  return [x + width / 2, y + height / 2];
})(%s)"""


class Tab:
    """A page that is reached by the DevTools protocol, and not by Playwright."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._count = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._browser = browser.new_browser_cdp_session()
        self._browser.on("Target.receivedMessageFromTarget", self._hear)
        # Outside of its own contexts Playwright leaves a page alone.
        target = self._browser.send("Target.createTarget", {"url": "about:blank"})
        self._target = {"targetId": target["targetId"]}
        self._session = self._browser.send("Target.attachToTarget", self._target)["sessionId"]
        size = {"width": 1280, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", size)
        self.send("Emulation.setFocusEmulationEnabled", {"enabled": True})
        self.send("Page.navigate", {"url": address})

    @classmethod
    def of_notebook(cls, browser: Browser, lab: Lab, *cells: str) -> Self:
        """Open a notebook of these cells, and wait until its kernel waits for one."""
        lab.write("test.ipynb", *cells)
        tab = cls(browser, lab.address("test.ipynb"))
        tab.wait_for("document.querySelector('.jp-Notebook') !== null")
        tab.wait_for(_READY)
        tab.wait_for(_IDLE)
        return tab

    def send(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send the page one command, and return its result."""
        self._count += 1
        number = self._count
        command = json.dumps({"id": number, "method": method, "params": parameters or {}})
        message = {"sessionId": self._session, "message": command}
        self._browser.send("Target.sendMessageToTarget", message)
        wait_until(lambda: self._has(number), seconds=SECONDS, what=method)
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer)
        result: dict[str, Any] = answer["result"]
        return result

    def evaluate(self, code: str) -> Any:
        """Return the value of an expression."""
        found = self.send("Runtime.evaluate", {"expression": code, "returnByValue": True})
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, code: str) -> None:
        """Wait until an expression is true."""
        wait_until(lambda: self.evaluate(f"!!({code})"), seconds=SECONDS, what=code)

    def wait_live(self) -> None:
        """Wait until pictures are painted."""
        self.wait_for(_LIVE)

    def run(self, cell: int) -> None:
        """Run one cell with mouse and keyboard, and wait for its end; cells count from 0."""
        prompt = _PROMPT % cell
        before = self.evaluate(f"{prompt}.textContent")
        x, y = self.evaluate(_PLACE % prompt)
        for kind in ("mousePressed", "mouseReleased"):
            button = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            self.send("Input.dispatchMouseEvent", button)
        control = 2
        for kind in ("rawKeyDown", "keyUp"):
            enter = {"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
            self.send("Input.dispatchKeyEvent", {**enter, "modifiers": control})
        text = f"{prompt}.textContent"
        self.wait_for(f"{text} !== {json.dumps(before)} && /[0-9]/.test({text})")

    def close(self) -> None:
        """Close the page."""
        self._browser.send("Target.closeTarget", self._target)

    def _hear(self, event: dict[str, Any]) -> None:
        message = json.loads(event["message"])
        if "id" in message:
            self._answers[message["id"]] = message

    def _has(self, number: int) -> bool:
        # Playwright hands out what came while it waits for an answer of its own.
        self._browser.send("Browser.getVersion")
        return number in self._answers
