"""Take a picture of the first screen of a report, `images/report.png`; `make pictures` runs it.

The runs are some of `evidence/`: semantic segmentation of the scenes with the plain head, by the
upsamplers that `dysample compare` trains by default and two guided ones, with five seeds.
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import sync_playwright
from rich.console import Console

from dysample.workbench.report.report import write_report

ROOT = Path(__file__).parent.parent
UPSAMPLERS = ("nearest", "bilinear", "carafe", "dysample", "dysample_s_plus", "fade", "sapa_b")
WIDTH, HEIGHT = 1000, 900
FOLDS = 2
"""How many of the closed sections below the table are in the picture."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Write the report into a folder of its own, and show it to a browser."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"a picture of a page needs one of {', '.join(BROWSERS)}")
    with TemporaryDirectory() as folder:
        results = Path(folder) / "results.jsonl"
        results.write_text("".join(chosen_runs()))
        *_, page = write_report(results, Path(folder), Console(file=io.StringIO()))
        picture = Image.open(io.BytesIO(first_screen(page, browser)))
    # 256 colours are within 4 of 255 of the page's; the file is a third.
    few = picture.convert("RGB").quantize(
        256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    few.save(ROOT / "docs" / "images" / "report.png", optimize=True)


def chosen_runs() -> list[str]:
    """Return the lines of the result file that hold these runs."""
    lines = (ROOT / "evidence" / "results.jsonl").read_text().splitlines(keepends=True)
    return [line for line in lines if _is_chosen(json.loads(line))]


def first_screen(page: Path, browser: str) -> bytes:
    """Return the page down to the first closed sections, as PNG."""
    with sync_playwright() as playwright:
        # Root, as in a container, has no sandbox.
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        shown = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        shown.goto(page.as_uri())
        box = shown.locator("details").nth(FOLDS - 1).bounding_box()
        assert box is not None
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": box["y"] + box["height"]}
        picture = shown.screenshot(clip=clip)
        opened.close()
    return picture


def _is_chosen(run: dict) -> bool:
    return (
        run["task"] == "semantic"
        and run["data"]["name"] == "scenes"
        and run["settings"]["head"] == "plain"
        and run["upsampler"] in UPSAMPLERS
        and not run["upsampler_options"]
    )


if __name__ == "__main__":
    main()
