"""Every block of code in the documentation runs, or says why it cannot."""

from __future__ import annotations

import doctest
import importlib
import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

import dysample
from dysample.cli.group import verbs
from support.documented import FENCE, PAGE_IDS, PAGES, ROOT, blocks, check, check_verb, commands
from support.layouts import LAYOUTS

KINDS = {
    "bibtex": "",
    "pycon": "run as doctests",
    "python": "run one after the other",
    "sh": "parsed by the command line, or looked up",
    "text": "formulas, signatures, what commands print",
    "yaml": "read",
}
"""What a block may be, and what is done with it."""

CODE = re.compile(
    rf"^(\$ |>>> |import |from \w+ import |dysample ({'|'.join(verbs.commands)})\b|make |pip )",
    re.MULTILINE,
)
"""What `text` must not hold: it would not be run."""

CHEAP = {"info", "sites"}
"""Verbs that take a few seconds: their commands are run, too."""

OPTIONAL = {"coremltools", "ncnn", "openvino", "pnnx"}
"""Libraries of no extra."""

MODULES = [
    "dysample",
    "dysample.explanation",
    "dysample.ops.dispatch",
    "dysample.registry",
    "dysample.surgery.replace",
    "dysample.surgery.sites",
]

every_page = pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)


@every_page
def test_no_block_is_forgotten(page: Path) -> None:
    found = blocks(page)
    lines = page.read_text().splitlines()
    assert sum(line.lstrip().startswith("```") for line in lines) == 2 * len(found)
    assert sum(line.startswith("<!-- not run") for line in lines) == sum(
        b.reason is not None for b in found
    )
    for block in found:
        assert block.kind in KINDS, f"a block needs one of {', '.join(KINDS)}:\n{block.text}"
        if block.kind == "text":
            assert not CODE.search(block.text), f"this is code:\n{block.text}"


@every_page
def test_code_is_not_indented_out_of_sight(page: Path) -> None:
    paragraphs = re.split(r"\n\s*\n", FENCE.sub("", page.read_text()))
    for before, paragraph in pairwise(paragraphs):
        in_list = re.match(r" *([-*]|\d+\.) |    ", before)
        assert in_list or not paragraph.startswith("    "), f"put this into a fence:\n{paragraph}"


@every_page
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    LAYOUTS["coco_instance"](tmp_path / "PATH")  # "coco_instance:PATH"
    namespace: dict[str, object] = {}
    for block in blocks(page):
        if block.kind == "python" and block.reason is None:
            try:
                exec(compile(block.text, str(page), "exec"), namespace)
            except ModuleNotFoundError as missing:
                if missing.name not in OPTIONAL:
                    raise
                pytest.skip(f"no {missing.name}")


@every_page
def test_commands_parse(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(page):
        if block.kind == "sh" and block.reason is None:
            for words in commands(block.text):
                check(words)


def test_cheap_commands_run(capsys: pytest.CaptureFixture) -> None:
    shown = [block.text for page in PAGES for block in blocks(page) if block.kind == "sh"]
    found = {tuple(words[1:]) for text in shown for words in commands(text) if words[1] in CHEAP}
    assert len(found) >= 2
    for arguments in found:
        verbs(list(arguments), standalone_mode=False)
        assert capsys.readouterr().out


@every_page
def test_commands_within_sentences_parse(page: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`((?:dysample|make|pip|\.venv/bin/\w+) [^`]+)`", prose):
        for words in commands(" ".join(span.split())):
            if words[:2] == ["dysample", "VERB"]:
                continue
            if words[0] == "dysample":
                check_verb(words[1:])
            else:
                check(words)


@every_page
def test_yaml_is_read(page: Path) -> None:
    for block in blocks(page):
        if block.kind == "yaml" and block.reason is None:
            assert yaml.safe_load(block.text)


@every_page
def test_interactive_examples_run(page: Path) -> None:
    for number, block in enumerate(blocks(page)):
        if block.kind == "pycon":
            names = {name: getattr(dysample, name) for name in dysample.__all__}
            example = doctest.DocTestParser().get_doctest(
                block.text, names, f"{page.name}, block {number}", str(page), 0
            )
            assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried > 0
    assert failed == 0


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_readme_proves_it_on_the_first_screen() -> None:
    first = "\n".join((ROOT / "README.md").read_text().splitlines()[:30])
    for needed in ("make demo", "make test", "![", "```python"):
        assert needed in first
