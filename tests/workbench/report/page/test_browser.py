"""The page in a real browser: whole without a network, on a phone and a desk, in light and dark."""

import io
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console

from dysample.workbench.report.report import write_report
from support.made_results import ABLATIONS, CLASSES, made_run, tuned_runs, write_runs

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

SHOTS = Path(__file__).parents[4] / "build" / "screenshots"
"""Kept, to be looked at."""

NASTY = '<script>document.title="taken"</script><img src=x onerror=alert(1)>&"|`$x$'
STRANGE = (NASTY, "long_" * 30, '\u202e\u05e9\u05dc\u05d5\u05dd "quoted"')
"""A name that is markup, one that is longer than a line, and one from right to left."""
UPSAMPLERS = ("nearest", "bilinear", "carafe", "fade", "dysample", "dysample_s_plus")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Root, as in a container, has no sandbox.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every section: two heads, guided ones, ablations, curves, classes, an unknown upsampler, and
    a search for learning rates.
    """
    folder = tmp_path_factory.mktemp("report")
    classes = [*CLASSES, NASTY]
    runs = [
        made_run("semantic", name, seed, head, classes=classes)
        for head in ("plain", "skip")
        for name in (*UPSAMPLERS, *STRANGE)
        for seed in range(2)
    ]
    runs += [
        made_run("semantic", name, 0, "plain", options, classes) for name, options in ABLATIONS
    ]
    scales = dict.fromkeys(UPSAMPLERS, 0.1)
    tried = {name: {1.0: 0.1, 0.3: 0.3, 0.1: 0.32, 0.03: 0.31} for name in UPSAMPLERS}
    del tried["fade"][1.0]
    runs += tuned_runs("detection", tried, scales, 1, None)
    path = write_runs(folder / "results.jsonl", runs)
    *_, page = write_report(path, folder / "out", Console(file=io.StringIO()))
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1000, 1600])
def test_the_page_stands_alone_and_fits(
    browser: Browser, page_file: Path, width: int, scheme: str
) -> None:
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_file.as_uri())

    assert complaints == []
    assert requests == [page_file.as_uri()]
    assert page.title() == "Upsamplers compared"
    assert page.evaluate("document.documentElement.scrollWidth") == width
    folds = page.eval_on_selector_all("details", "all => all.map(one => one.open)")
    assert folds == [True, *[False] * (len(folds) - 1)]
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"report-{width}-{scheme}-first.png")
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    _check_figures(page, width)
    _check_structure(page)

    shot = SHOTS / f"report-{width}-{scheme}.png"
    page.screenshot(path=shot, full_page=True)
    page.close()
    with Image.open(shot) as picture:
        shades = np.asarray(picture.convert("L"))
    assert shades.std() > 10
    assert bool(np.median(shades) > 128) is (scheme == "light")


def _check_figures(page: Page, width: int) -> None:
    boxes = page.eval_on_selector_all(
        "figure > svg",
        "all => all.map(one => [one.getBoundingClientRect(), one.getAttribute('aria-label')])"
        ".map(([box, text]) => [box.left, box.right, box.height, text])",
    )
    # Differences in two measures (of two heads, of one), costs and the literature's, three
    # ablations, curves, learning rates.
    assert len(boxes) == (4 + 2) + (3 + 2) + 3 + (2 + 1) + 1
    for left, right, height, text in boxes:
        assert left >= 0
        assert right <= width
        assert height > 100
        assert len(text) > 10
    texts = page.eval_on_selector_all(
        "figure > svg text",
        "all => all.map(one => [one.getBoundingClientRect(), one.ownerSVGElement"
        ".getBoundingClientRect(), one.textContent]).filter(([box, all]) => box.left < all.left - 1"
        " || box.right > all.right + 1 || box.top < all.top - 1 || box.bottom > all.bottom + 1)"
        ".map(([box, all, text]) => text)",
    )
    assert texts == [], "cut off at the edge of their chart"
    covered = page.eval_on_selector_all(
        "figure > svg",
        """all => all.flatMap(svg => {
            const texts = [...svg.querySelectorAll("text")].map(
                one => [one.getBoundingClientRect(), one.textContent]);
            const pairs = texts.flatMap((one, place) => texts.slice(place + 1).map(
                other => [one, other]));
            return pairs.filter(([[a], [b]]) =>
                Math.min(a.right, b.right) - Math.max(a.left, b.left) > 3
                && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3
            ).map(([[, one], [, other]]) => `${one} / ${other}`);
        })""",
    )
    assert covered == [], "texts that cover each other"
    tips = page.eval_on_selector_all("figure title", "all => all.map(one => one.textContent)")
    assert any(tip.startswith("dysample, seed 1: ") for tip in tips)
    assert {"carafe at 0.1: .320, chosen", "fade at 1: no result"} <= set(tips)


def _check_structure(page: Page) -> None:
    ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))
    targets = page.eval_on_selector_all("a", "all => all.map(one => one.getAttribute('href'))")
    assert {target.removeprefix("#") for target in targets} <= set(ids)
    levels = page.eval_on_selector_all(
        "h1, h2, h3, h4, h5, h6", "all => all.map(one => Number(one.tagName[1]))"
    )
    assert levels[0] == 1
    assert max(np.diff(levels)) <= 1
    heads = page.eval_on_selector_all(
        "table", "all => all.map(one => one.querySelectorAll('thead th[scope]').length)"
    )
    assert min(heads) > 0
    # Names are text, in tables and in charts.
    assert page.locator("script, main img").count() == 0
    for name in STRANGE:
        assert page.locator("th", has_text=name.replace("\u202e", "\ufffd")).count() > 0
    assert "\u202e" not in page.content()


def test_the_answer_is_on_the_first_screen(browser: Browser, tmp_path: Path) -> None:
    """Sentence, picture and table of a single family, with nothing unfolded."""
    runs = [made_run("semantic", name, seed) for name in UPSAMPLERS for seed in range(3)]
    write_report(write_runs(tmp_path / "a.jsonl", runs), tmp_path, Console(file=io.StringIO()))
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.goto((tmp_path / "report.html").as_uri())
    for one in (page.get_by_text("Against bilinear"), page.locator("svg"), page.locator("table")):
        box = one.first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 900
        assert box["x"] + box["width"] <= 1000
    assert page.locator("svg:visible").count() == page.locator("table:visible").count() == 1
    page.close()


def test_a_link_of_the_summary_unfolds_its_family(browser: Browser, page_file: Path) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.goto(page_file.as_uri())
    family = page.locator("details.family").last
    assert family.get_attribute("open") is None
    page.get_by_role("link", name="Object detection").click()
    assert family.get_attribute("open") is not None
    page.close()


def test_what_scrolls_can_be_reached_by_keyboard(browser: Browser, page_file: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(page_file.as_uri())
    frame = page.locator(".scroll").first
    frame.focus()
    page.keyboard.press("ArrowRight")
    # The page's policy forbids `wait_for_function`, which polls by `eval`.
    deadline = time.monotonic() + 10
    while page.evaluate("document.activeElement.scrollLeft") == 0:
        assert time.monotonic() < deadline, "the arrow key does not scroll"
        page.wait_for_timeout(20)
    page.locator("details:not([open]) > summary").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")
    page.close()
