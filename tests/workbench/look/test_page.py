"""The page in a real browser."""

from __future__ import annotations

import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from dysample.workbench.look.models import models_of_page
from support.look_runs import bomb

pytest.importorskip("gradio", reason="gradio is not installed: pip install 'dysample[demo]'")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH"),
    pytest.mark.usefixtures("loops_end"),
    # The server's and the browser's own sockets and loops.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PATIENCE = 30_000
"""Milliseconds: other tests may have the cores."""


CALLED: list[Any] = []
"""Where this process, which serves the page, has connected to."""


@pytest.fixture(scope="module")
def address(compared: Path) -> Iterator[str]:
    from rich.console import Console

    from dysample.workbench.look.page import serve

    connect = socket.socket.connect

    def watched(self: socket.socket, where: Any) -> None:
        CALLED.append(where)
        connect(self, where)

    with (
        patch.object(socket.socket, "connect", watched),
        serve(models_of_page(compared, None, Console()), "127.0.0.1", None) as where,
    ):
        yield where


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Visit:
    """The page, opened, with everything it asked for and complained of."""

    def __init__(self, browser: Any, address: str, width: int, height: int) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": height})
        self.page.set_default_timeout(PATIENCE)
        self.asked: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on(
            "console",
            lambda said: self.problems.append(said.text) if said.type == "error" else None,
        )
        self.page.goto(address)
        self.wait("chosen by the features")

    def wait(self, text: str) -> None:
        """Until the line below the image says so, and the figure is there."""
        self.page.locator("#status").filter(has_text=text).wait_for()
        self.page.locator("#figure img").wait_for()

    def click_image(self, row: int, column: int, height: int, width: int) -> None:
        """At the centre of a pixel of an image of that size."""
        image = self.page.locator("#image img")
        box = image.bounding_box()
        x = (column + 0.5) / width * box["width"]
        image.click(position={"x": x, "y": (row + 0.5) / height * box["height"]})

    def upload(self, path: Path) -> None:
        self.page.locator("input[type=file]").first.set_input_files(path)


def test_click_choose_and_upload(
    browser: Any, address: str, tmp_path: Path, record_property: Any
) -> None:
    visit = Visit(browser, address, 1400, 1000)
    page = visit.page
    first = page.locator("#figure img").get_attribute("src")
    visit.click_image(16, 48, 64, 64)
    visit.wait("scene:0, 64x64, pixel 16, 48.")
    assert page.locator("#figure img").get_attribute("src") != first
    page.locator("#model input").click()
    page.get_by_role("option", name="semantic, dysample, seed 0").click()
    visit.wait("pixel 16, 48.")
    page.locator("#scene input[type=number]").fill("5")
    page.locator("#scene input[type=number]").press("Enter")
    visit.wait("scene:5, 64x64, pixel chosen")
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)).save(photo)
    visit.upload(photo)
    visit.wait("photo.png, 90x60, pixel chosen")
    visit.click_image(30, 45, 60, 90)
    visit.wait("photo.png, 90x60, pixel 30, 45.")
    shot = tmp_path / "desktop.png"
    page.screenshot(path=shot, full_page=True)
    record_property("screenshot", str(shot))
    assert {url for url in visit.asked if not url.startswith((address, "data:", "blob:"))} == set()
    assert visit.problems == []
    assert {where[0] for where in CALLED if isinstance(where, tuple)} <= {"127.0.0.1"}


def test_what_is_refused_is_said_in_a_line(browser: Any, address: str, tmp_path: Path) -> None:
    visit = Visit(browser, address, 1400, 1000)
    heavy = tmp_path / "heavy.png"
    heavy.write_bytes(bytes(20 * 2**20 + 1))
    visit.upload(heavy)
    visit.page.get_by_text("exceed the maximum allowed size of 20").first.wait_for()
    visit.upload(bomb(tmp_path / "bomb.png", 30000, 30000))
    said = visit.page.get_by_text("must have at most 50 million pixels").first
    said.wait_for()
    assert said.inner_text().startswith("`image` (=bomb.png) must have at most")
    assert "\n" not in said.inner_text()
    visit.click_image(32, 32, 64, 64)
    visit.wait("scene:0, 64x64, pixel 32, 32.")


def test_the_server_itself_refuses_what_is_too_heavy(address: str) -> None:
    bound = b"--limit"
    head = b'\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    body = bound + head + bytes(20 * 2**20 + 1) + b"\r\n" + bound + b"--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=limit"}
    request = urllib.request.Request(f"{address}gradio_api/upload", body, kind)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    with refused.value as answer:
        assert answer.code == 413


def test_on_a_phone_nothing_is_cut_off(browser: Any, address: str) -> None:
    visit = Visit(browser, address, 390, 844)
    width = visit.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    box = visit.page.locator("#figure img").bounding_box()
    assert box["width"] >= 850  # it scrolls in its frame, from its left edge on
    assert box["x"] >= 0


def test_a_port_that_is_taken(address: str, compared: Path) -> None:
    from rich.console import Console

    from dysample.workbench.look.page import serve

    port = int(address.rstrip("/").rpartition(":")[2])
    with (
        pytest.raises(ValueError, match=rf"`port` \(={port}\) must be free"),
        serve(models_of_page(compared, None, Console()), "127.0.0.1", port),
    ):
        pass
