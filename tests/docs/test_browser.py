"""The site as a reader opens it from disk: on a phone and a desk, light and dark, with search."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.documented import ROOT

sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

SHOTS = ROOT / "build" / "screenshots" / "site"
"""Kept, to be looked at."""

LOOKED_AT = ("index", "README.zh-CN", "upsamplers/dysample", "surgery", "bench", "api")


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        # Root, as in a container, has no sandbox.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_and_complain_of_nothing(browser, site: Path, width: int, scheme: str) -> None:
    # Light pages differ from dark ones in colours alone: all of them once, some of them twice.
    names = [path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")]
    if scheme == "dark":
        names = list(LOOKED_AT)
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # Going on to the next page aborts what is under way, such as an icon; a missing file is another
    # failure.
    page.on(
        "requestfailed",
        lambda request: request.failure == "net::ERR_ABORTED" or complaints.append(request.url),
    )
    page.on(
        "request",
        lambda request: request.url.startswith("http") and complaints.append(request.url),
    )
    SHOTS.mkdir(parents=True, exist_ok=True)
    for name in names:
        if name == "404":  # refers to the place where the site will be
            continue
        page.goto((site / f"{name}.html").as_uri())
        assert not complaints, (name, complaints)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        broken = "[...document.images].filter(i => !i.naturalWidth).map(i => i.src)"
        assert page.evaluate(broken) == [], name
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") == (scheme == "light"), (name, ground)
        if name in LOOKED_AT:
            page.screenshot(path=SHOTS / f"{name.replace('/', '_')}_{width}_{scheme}.png")
    page.close()


@pytest.mark.parametrize(
    ("words", "found"), [("reassemble", "functional.reassemble"), ("部署", "部署")]
)
def test_search_without_a_server(browser, site: Path, words: str, found: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((site / "index.html").as_uri())
    page.click(".md-search__input")
    page.wait_for_function("document.querySelector('iframe') && typeof __index === 'object'")
    page.keyboard.type(words)
    page.keyboard.press("End")
    result = page.locator(".md-search-result__item", has_text=found).first
    result.wait_for(timeout=20_000)
    assert found in result.inner_text()
    page.close()
