"""Chromium as a person uses it: pages are opened from disk, and keys are pressed."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_KEYS = {  # code, virtual key, text
    "Tab": ("Tab", 9, ""),
    "Space": ("Space", 32, " "),
    **{f"Arrow{name}": (f"Arrow{name}", code, "") for name, code in (
        ("Left", 37), ("Up", 38), ("Right", 39), ("Down", 40),
    )},
    **{name: (name, code, "") for name, code in (("End", 35), ("Home", 36))},
}  # fmt: skip


class Browser:
    """One headless Chromium with one page, spoken to by its DevTools protocol through pipes."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        """Take the ends of two pipes."""
        self._to, self._from = to_browser, from_browser
        self._number, self._session, self._rest = 0, "", b""
        self.log: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._call("Page.enable")
        self._call("Runtime.enable")

    def open(self, page: Path) -> None:
        """Open a file and wait until it has loaded."""
        self.visit(page.as_uri())

    def visit(self, url: str) -> None:
        """Open a page and wait until it has loaded."""
        self._call("Page.navigate", url=url)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page, as JSON can tell it."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press and release keys, one after the other."""
        for key in keys:
            code, number, text = _KEYS[key]
            how: dict[str, Any] = {"key": text or code, "code": code, "text": text}
            how["windowsVirtualKeyCode"] = number
            for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
                self._call("Input.dispatchKeyEvent", type=kind, **how)

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._from, 1 << 16)
            assert piece, "the browser has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        if told.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.log.append(str(told["params"]))
        return told


@contextmanager
def started(program: str, profile: Path) -> Iterator[Browser]:
    """Start a browser with a profile of its own; it ends with the block."""
    ours_in, theirs_out = os.pipe()
    theirs_in, ours_out = os.pipe()
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
    with subprocess.Popen(
        [
            *("bash", "-c", f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}', program, *options),
            *("--remote-debugging-pipe", f"--user-data-dir={profile}", "--window-size=1280,900"),
        ],
        pass_fds=(theirs_in, theirs_out),
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Browser(ours_out, ours_in)
        finally:
            os.close(ours_out)  # which ends it
            os.close(ours_in)
            process.terminate()
