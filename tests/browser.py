"""Drives headless Chromium by its DevTools protocol over two pipes.

Tests load a page and click it like a user would. All console errors and all requested addresses are
collected.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Chromium starts slowly on a machine that is busy with other tests.
PATIENCE = 90.0
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)
KEYS = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "Space": 32,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}
MOVE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """A browser with one tab.

    Args:
      process: Chromium.
      orders: the pipe from which Chromium reads.
      answers: the pipe to which Chromium writes.
    """

    def __init__(self, process: subprocess.Popen[bytes], orders: int, answers: int) -> None:
        self._process, self._orders, self._answers = process, orders, answers
        self._number, self._read, self._session, self._tab = 0, b"", "", ""
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def ask(self, method: str, **parameters: Any) -> Any:
        """Calls a method of the protocol and returns its result."""
        self._number += 1
        order: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._orders, json.dumps(order).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def show(
        self,
        file: Path,
        width: int,
        height: int,
        *,
        dark: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        """Loads a page in a new tab of this size, and clears the collected errors and requests."""
        self._renew()
        mobile = width < 600
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=file.as_uri())
        self.until("document.documentElement?.dataset.ready === 'yes'", patience)

    def value(self, script: str) -> Any:
        """Evaluates an expression in the page; a promise is awaited."""
        done = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, script: str, patience: float = PATIENCE) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + patience
        while not self.value(script):
            assert time.monotonic() < end, f"{script} does not come true; {self.complaints}"
            time.sleep(0.02)

    def click(self, script: str, across: float = 0.5, down: float = 0.5) -> None:
        """Presses the mouse on an element, at a share of its width and height."""
        x, y = self.value(
            f"(() => {{ const node = {script}; node.scrollIntoView({{block: 'center'}});"
            "const box = node.getBoundingClientRect();"
            f"return [box.x + {across} * box.width, box.y + {down} * box.height]; }})()"
        )
        place = {"x": x, "y": y, "button": "left", "clickCount": 1}
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, **place)

    def press(self, key: str) -> None:
        """Presses a key, such as `ArrowRight` or `Tab`."""
        text = {"Enter": "\r", "Space": " "}.get(key)
        named = {"key": text if key == "Space" else key, "code": key}
        named["windowsVirtualKeyCode"] = KEYS[key]
        if text:
            named["text"] = text
        self.ask("Input.dispatchKeyEvent", type="keyDown", **named)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **named)

    def close(self) -> None:
        """Ends Chromium and its child processes, so that nothing writes to its profile any more."""
        self._session = ""
        self.ask("Browser.close")
        self._process.wait(PATIENCE)

    def picture(self, file: Path) -> None:
        """Saves the window as a PNG."""
        data = self.ask("Page.captureScreenshot", format="png")["data"]
        file.write_bytes(base64.b64decode(data))

    def _renew(self) -> None:
        """Opens another tab, so that late messages of the previous one are ignored."""
        old, self._session = self._tab, ""
        self._tab = self.ask("Target.createTarget", url="about:blank")["targetId"]
        if old:
            self.ask("Target.closeTarget", targetId=old)
        attached = self.ask("Target.attachToTarget", targetId=self._tab, flatten=True)
        self._session = attached["sessionId"]
        self.complaints.clear()
        self.requests.clear()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def _message(self) -> Any:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._answers], [], [], max(0, end - time.monotonic()))
            assert ready, f"Chromium says nothing for {PATIENCE} s"
            data = os.read(self._answers, 1 << 20)
            assert data, f"Chromium has ended: {self._process.poll()}"
            self._read += data
        text, _, self._read = self._read.partition(b"\0")
        return json.loads(text)

    def _note(self, message: Any) -> None:
        if message.get("sessionId") != self._session:
            return
        method, given = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(given["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning"):
            self.complaints.append(str(given["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(str(given["entry"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])


@contextmanager
def browser() -> Iterator[Browser]:
    """Starts Chromium, or skips the test with the reason."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None or os.name != "posix":
        pytest.skip(f"no browser is installed: none of {', '.join(NAMES)}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process, orders, answers = _started([program, *FLAGS, f"--user-data-dir={profile}"])
        try:
            opened = Browser(process, orders, answers)
            yield opened
            opened.close()
        finally:
            process.kill()
            process.wait()
            os.close(orders)
            os.close(answers)


def _started(command: list[str]) -> tuple[subprocess.Popen[bytes], int, int]:
    """Starts Chromium; returns the process and the ends of its two pipes.

    Chromium reads from descriptor 3 and writes to 4. Both are in use here, so a process in between
    sets them up.
    """
    (read, orders), (answers, write) = os.pipe(), os.pipe()
    high = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (read, write)]
    between = [sys.executable, "-I", "-S", "-c", MOVE, *map(str, high)]
    process = subprocess.Popen(
        [*between, *command], pass_fds=high, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for one in (read, write, *high):
        os.close(one)
    return process, orders, answers
