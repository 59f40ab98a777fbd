"""A headless Chromium that tests drive as a person would: DevTools over a socket."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_SPEC = importlib.util.find_spec("axe_playwright_python")
AXE = None if _SPEC is None or _SPEC.origin is None else Path(_SPEC.origin).parent / "axe.min.js"
"""axe-core, of which the package brings a copy; None where it is not installed."""
WRONG = """axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations.flatMap(
    one => one.nodes.map(node => `${one.id}: ${node.html.slice(0, 200)}`)))"""
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-sync", "--disable-background-networking", "--disable-component-update",
    "--remote-debugging-port=0", "about:blank",
)  # fmt: skip


class Tab:
    """A page of the browser."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: Any) -> None:
        self.loop, self.socket, self.number = loop, socket, 0
        self.complaints: list[str] = []

    def ask(self, method: str, **params: Any) -> Any:
        """Send a command of the DevTools protocol; gives its result."""
        return self.loop.run_until_complete(asyncio.wait_for(self._ask(method, params), 60))

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self.number += 1
        await self.socket.send_json({"id": self.number, "method": method, "params": params})
        while True:
            said = json.loads((await self.socket.receive()).data)
            if _is_complaint(said):
                self.complaints.append(json.dumps(said["params"]))
            if said.get("id") == self.number:
                assert "error" not in said, said
                return said["result"]

    def run(self, script: str) -> Any:
        """The value of a script."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True,
                         awaitPromise=True)  # fmt: skip
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def go(self, url: str) -> None:
        """Open an address."""
        self.ask("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def until(self, script: str, seconds: float = 120) -> None:
        """Wait until a script says that it is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.run(script):
                    return
            except AssertionError:  # the page changed meanwhile
                pass
            time.sleep(0.2)
        raise AssertionError(f"{script} is not true: {self.run('document.body.innerText')}")

    def size(self, width: int, height: int = 844) -> None:
        """As wide as a screen."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=width < 500)  # fmt: skip

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in a form."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def dark(self, on: bool) -> None:
        """As somebody with a dark screen sees it."""
        self.ask("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if on else "light"}])  # fmt: skip

    def violations(self) -> list[str]:
        """What axe finds wrong with the page, light and dark."""
        assert AXE is not None
        found = set()
        self.run(f"{AXE.read_text(encoding='utf-8')}; 0")
        for on in (True, False):
            self.dark(on)
            found |= set(self.run(WRONG))
        return sorted(found)

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))


def _is_complaint(said: dict[str, Any]) -> bool:
    """Whether the browser, or a script of the page by `console.error`, complains."""
    if said.get("method") == "Runtime.consoleAPICalled":
        return bool(said["params"]["type"] in ("error", "assert"))
    return said.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")


@contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """A browser with one page, which ends with the test."""
    assert CHROMIUM is not None
    profile = folder / "profile"
    process = subprocess.Popen(
        [CHROMIUM, *FLAGS[:-1], f"--user-data-dir={profile}", FLAGS[-1]],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    loop = asyncio.new_event_loop()
    try:
        port = _port(profile / "DevToolsActivePort")
        session, socket = loop.run_until_complete(_opened(port))
        try:
            tab = Tab(loop, socket)
            for domain in ("Page", "Runtime", "Log", "DOM"):
                tab.ask(f"{domain}.enable")
            yield tab
        finally:
            loop.run_until_complete(socket.close())
            loop.run_until_complete(session.close())
    finally:
        process.terminate()
        process.wait(30)
        loop.close()


def _port(file: Path) -> int:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if file.exists() and (lines := file.read_text().split()):
            return int(lines[0])
        time.sleep(0.1)
    raise AssertionError("the browser did not start")


async def _opened(port: int) -> tuple[aiohttp.ClientSession, Any]:
    session = aiohttp.ClientSession()
    async with session.get(f"http://127.0.0.1:{port}/json") as answer:
        pages = [one for one in await answer.json() if one["type"] == "page"]
    socket = await session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)
    return session, socket
