"""What the site holds beside this folder's pages: see `hooks` in mkdocs.yml.

Pages of the repository's root, the examples and the notebooks keep one place and one text. Links in
them, and to them, are those that work in the repository; here they become the site's.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md",
         "evidence/README.md")  # fmt: skip
"""Markdown outside of `docs/`."""

LINKED = ("CITATION.cff", "LICENSE", "examples/*.py", "notebooks/*.ipynb", "evidence/*.[!m]*",
          "evidence/tuned/*.[!m]*")  # fmt: skip
"""Files that pages link to; notebooks become pages, too."""

LINK = re.compile(r"(?<=\]\()[^)#\s]+(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside of `docs/`, by its path in the repository."""
    for name in PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    for path in (path for pattern in LINKED for path in sorted(ROOT.glob(pattern))):
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
        if path.suffix == ".ipynb":
            page = File.generated(config, _page_of(name), content=notebook_page(path))
            files.append(page)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between places in the repository into links between pages of the site."""
    here = page.file.src_uri
    # Pages of docs/ are a folder deeper in the repository than on the site.
    outside = here in PAGES or here.startswith("notebooks/")
    folder = posixpath.dirname(here if outside else f"docs/{here}")

    def moved(link: re.Match[str]) -> str:
        target = link.group()
        if ":" in target:
            return target
        place = posixpath.normpath(posixpath.join(folder, target)).removeprefix("docs/")
        return posixpath.relpath(_page_of(place), posixpath.dirname(here) or ".")

    markdown = LINK.sub(moved, markdown)
    if here.startswith("notebooks/"):  # after the links: this one leads to the notebook itself
        name = posixpath.basename(here).replace(".md", ".ipynb")
        markdown += f"\n\n---\n\n[{name}]({name}), to run it.\n"
    return markdown


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Say which language a page is in: browsers choose the shapes of ideographs by it."""
    chinese = page.file.src_uri.endswith(".zh-CN.md")
    return f'<div lang="zh-Hans">{html}</div>' if chinese else html


def notebook_page(path: Path) -> str:
    """Text and code of a notebook as Markdown; the repository keeps no outputs."""
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    texts = []
    for cell in cells:
        source = "".join(cell["source"])
        texts.append(f"```python\n{source}\n```" if cell["cell_type"] == "code" else source)
    return "\n\n".join(texts) + "\n"


def _page_of(name: str) -> str:
    return name.replace(".ipynb", ".md")
