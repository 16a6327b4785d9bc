"""Write the pages on the upsamplers from docstrings, metadata, `texts.py` and published scores.

`make pages` runs it. The pictures are drawn by `pictures.py`.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import torch
from texts import CAPTION, GUIDE, PAGES, READS, Page

from dysample import create_upsampler, functional, list_upsamplers
from dysample.origins import Origin
from dysample.registry import Entry, get_entry
from dysample.workbench.costs.count import count_parameters
from dysample.workbench.report import published

DOCS = Path(__file__).parent
CHANNELS, SIDE, SCALE = 256, 120, 2
"""The workload on which the DySample paper compares latencies."""
WIDTH = 100


def main() -> None:
    """Write every page."""
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def pages() -> dict[Path, str]:
    """Path and text of every generated page."""
    texts = {DOCS / "upsamplers" / f"{page.name}.md": upsampler_page(page) for page in PAGES}
    return {**texts, DOCS / "which.md": which_page()}


def names_on(page: Page) -> list[str]:
    """Registered names that a page describes, design steps last."""
    matched = [name for pattern in page.patterns for name in list_upsamplers(pattern)]
    return [page.name, *page.names, *matched]


def upsampler_page(page: Page) -> str:
    """The page on one upsampler and its variants."""
    entry = get_entry(page.name)
    doc = Docstring(entry.factory)
    names = names_on(page)
    parts = [
        f"# {page.title}",
        f"{_call(entry)} · {'reads a guide' if entry.guided else 'needs no guide'} ·"
        " [which upsampler?](../which.md)",
        _wrap(page.idea),
        f"![What {page.title} reads for three output pixels](../images/{page.name}.png)",
        _wrap(CAPTION.format(reads=READS[page.reads])),
        "## Formula",
        *_formula(page, doc),
        "## Cost",
        _wrap(
            f"At {CHANNELS} channels and {SIDE} x {SIDE} pixels, scale {SCALE}; multiply-adds of"
            " one image by the module's own `macs`:"
        ),
        _cost_table(names),
        "## When to use it",
        _wrap(page.when),
    ]
    if any(name in published.STEP_GAINS for name in names):
        parts += ["## The design, step by step", *_steps(names)]
    parts += [
        "## Example",
        f"```python\n{_example(page, entry)}```",
        "## Arguments",
        _arguments(doc),
        "## State",
        *_state(page, doc),
        *_provenance(page),
        _generated(),
    ]
    return "\n\n".join(parts) + "\n"


class Docstring:
    """The paragraphs of a class docstring, by section."""

    def __init__(self, documented: object) -> None:
        self.sections: dict[str, list[str]] = {"": []}
        section = ""
        for block in re.split(r"\n\s*\n", inspect.getdoc(documented) or ""):
            head, _, rest = block.partition(":")
            if head in ("Args", "State", "Known deviation", "Source"):
                section, block = head, rest.strip("\n") if head == "Args" else rest.strip()
            self.sections.setdefault(section, []).append(block)

    def formula(self) -> list[str]:
        """From the first indented paragraph of the prose to its end; formulas in code blocks."""
        found: list[str] = []
        for block in self.sections[""]:
            if block.startswith("    "):
                found.append(f"```text\n{textwrap.dedent(block)}\n```")
            elif found:
                found.append(_wrap(block))
        return found

    def arguments(self) -> Iterator[tuple[str, str]]:
        """Name and text of each argument."""
        text = "\n".join(self.sections.get("Args", []))
        for item in re.split(r"\n(?=\S)", textwrap.dedent(text)):
            name, _, meaning = item.partition(":")
            yield name, " ".join(meaning.split())


def _call(entry: Entry) -> str:
    factory = entry.factory.__name__
    options = "".join(f", {name}={value!r}" for name, value in entry.options.items())
    return f'`create_upsampler("{entry.name}", C)` = `dysample.{factory}(C{options})`'


def _formula(page: Page, doc: Docstring) -> list[str]:
    formula = [f"```text\n{page.formula}\n```"] if page.formula else doc.formula()
    if not formula:
        raise ValueError(f"{page.name}: neither the docstring nor texts.py holds a formula")
    alphabet = (functional.__doc__ or "").split("\n\n")[1].removeprefix("Alphabet: ")
    return [*formula, _wrap(f"Symbols: {alphabet}")]


def _cost_table(names: list[str]) -> str:
    return _table(
        ("name", "what", "parameters", "GMACs"),
        [(f"`{name}`", get_entry(name).summary, *_cost(name)) for name in names],
    )


def _cost(name: str) -> tuple[str, str]:
    with torch.device("meta"):  # nothing is computed: numbers of parameters and sizes are enough
        up = create_upsampler(name, CHANNELS, SCALE)
    gmacs = up.macs(SIDE, SIDE) / 1e9
    return f"{count_parameters(up):,}", f"{gmacs:.3f}" if gmacs else "0"


def _steps(names: list[str]) -> list[str]:
    rows = [
        (f"`{name}`", summary.removeprefix("design step: "), published.STEP_GAINS.get(name, ""))
        for name in names
        if (summary := get_entry(name).summary).startswith("design step")
    ]
    table = _table(("name", "what", "gain in mIoU over the step before"), rows)
    source = published.SOURCES[published.STEP_SOURCE]
    return [table, _wrap(f"Gains of SegFormer-B1 on ADE20K as reported, from: {source}.")]


def _example(page: Page, entry: Entry) -> str:
    lines = ["import torch", "from dysample import create_upsampler", ""]
    lines += [
        f'up = create_upsampler("{page.name}", in_channels=64)',
        "x = torch.randn(2, 64, 13, 17)",
    ]
    if entry.guided:
        lines += [
            "guide = torch.randn(2, 64, 26, 34)  # a finer feature",
            "assert up(x, guide).shape == (2, 64, 26, 34)",
            "assert up(x, guide[..., :25, :33]).shape == (2, 64, 25, 33)  # any size",
        ]
    else:
        lines += [
            "assert up(x).shape == (2, 64, 26, 34)",
            "assert up(x, size=(25, 33)).shape == (2, 64, 25, 33)  # any size",
        ]
    return "\n".join(lines) + "\n" + page.example


def _arguments(doc: Docstring) -> str:
    return "\n".join(
        textwrap.fill(
            f"- `{name}`: {meaning}", WIDTH, subsequent_indent="  ", break_on_hyphens=False
        )
        for name, meaning in doc.arguments()
    )


def _state(page: Page, doc: Docstring) -> Iterator[str]:
    for block in doc.sections.get("State", ["none unless out_channels differs from in_channels."]):
        yield _wrap(block[0].upper() + block[1:])
    rows = []
    for name in (page.name, *page.names):
        with torch.device("meta"):
            state = create_upsampler(name, CHANNELS, SCALE).state_dict()
        keys = [f"`{key}` {tuple(value.shape) or '()'}" for key, value in state.items()]
        rows.append((f"`{name}`", ", ".join(keys)))
    if any(keys for _, keys in rows):
        yield f"Keys and shapes at {CHANNELS} channels, scale {SCALE}:"
        yield _table(("name", "`state_dict()`"), rows)


def _provenance(page: Page) -> Iterator[str]:
    """Deviations, licence and paper; each said once, with the names it holds for if not for all."""
    names = names_on(page)
    origins = {name: origin for name in names if (origin := get_entry(name).origin) is not None}
    yield "## Deviations from the published code"
    yield "\n".join(_deviations(origins)) or "None known."
    yield "## Published code and its licence"
    for code, licence in dict.fromkeys((o.code, o.licence) for o in origins.values()):
        yield f"- Code: {code}.\n- Its licence: {licence}.\n- This package: Apache-2.0."
    papers = {o.paper.key: o.paper for o in origins.values() if o.paper is not None}
    if papers:
        yield "## Paper"
    for paper in papers.values():
        yield _wrap(f"{paper.title}. {paper.venue}, {paper.year}.")
        yield f"```bibtex\n{paper.bibtex}\n```"


def _deviations(origins: dict[str, Origin]) -> Iterator[str]:
    sentences = dict.fromkeys(s for origin in origins.values() for s in origin.deviations)
    for sentence in sentences:
        named = [name for name, origin in origins.items() if sentence in origin.deviations]
        whose = "" if len(named) == len(origins) else f"{', '.join(f'`{n}`' for n in named)}: "
        yield textwrap.fill(
            f"- {whose}{sentence}", WIDTH, subsequent_indent="  ", break_on_hyphens=False
        )


def which_page() -> str:
    """The decision guide and the table over all names."""
    links = {
        page.name: f"[{page.title.split(',')[0]}](upsamplers/{page.name}.md)" for page in PAGES
    }
    compare = "[What `dysample compare` measures](compare.md)"
    home = {name: page.name for page in PAGES for name in names_on(page)}
    columns = (published.SEMANTIC, published.BOUNDARY, published.DETECTION)
    nothing = published.Score("", "")
    rows = []
    for name in list_upsamplers():
        miou, biou, ap = (scores.by_name.get(name, nothing) for scores in columns)
        mark = f" ({1 + list(published.NOTES).index(miou.note)})" if miou.note else ""
        rows.append(
            (
                f"[`{name}`](upsamplers/{home[name]}.md)",
                "yes" if get_entry(name).guided else "",
                *_cost(name),
                miou.printed + mark,
                biou.printed,
                _keys(miou.sources),
                ap.printed,
                _keys(ap.sources),
            )
        )
    head = ("name", "guide", "parameters", "GMACs", "mIoU", "bIoU", "source", "AP", "source")
    used = {key for s in columns for score in s.by_name.values() for key in score.sources.split()}
    return (
        "\n\n".join(
            [
                "# Which upsampler?",
                GUIDE.format(**links, compare=compare).strip(),
                "## All of them",
                _wrap(
                    f"Parameters and multiply-adds are ours, for one step at {CHANNELS} channels,"
                    f" {SIDE} x {SIDE} pixels and scale {SCALE}. The scores are the literature's:"
                    " mIoU and boundary IoU (bIoU) of SegFormer-B1 on ADE20K with its six"
                    " upsampling steps replaced, box AP of Faster R-CNN R50 on COCO. `dysample cost"
                    " --published` prints the published costs beside ours."
                ),
                _table(head, rows),
                "\n".join(f"{n}. {note}" for n, note in enumerate(published.NOTES.values(), 1)),
                _wrap(published.NOISE),
                "Sources:",
                "\n".join(
                    f"- {key}: {text}" for key, text in published.SOURCES.items() if key in used
                ),
                _generated(),
            ]
        )
        + "\n"
    )


def _keys(sources: str) -> str:
    return ", ".join(sources.split())


def _generated() -> str:
    return "<!-- Written by `make pages` from docstrings and metadata: edit those. -->"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _wrap(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), WIDTH, break_on_hyphens=False)


if __name__ == "__main__":
    main()
