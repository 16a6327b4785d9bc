"""The pages that people read, their blocks of code, and what a command in one of them must be."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import click
import pytest

from dysample.cli.group import verbs

ROOT = Path(__file__).parents[2]
OUTSIDE = ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md",
           "evidence/README.md")  # fmt: skip
PAGES = [*(ROOT / name for name in OUTSIDE), *sorted((ROOT / "docs").glob("**/*.md"))]
PAGE_IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]

FENCE = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+?) -->\n+)?```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
OTHERS = {"pnnx", "polygraphy", "ray", "tensorboard", "torchrun", "trtexec"}
"""Programs of others, whose options are not looked at."""


@dataclass(frozen=True)
class Block:
    """A block of code; `reason` says why it cannot run, where it cannot."""

    kind: str
    text: str
    reason: str | None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(match["kind"], match["text"], match["reason"])
        for match in FENCE.finditer(page.read_text(encoding="utf-8"))
    ]


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a shell block, without comments and variables in front."""
    for line in re.split(r"\n| && ", text.replace("\\\n", " ")):
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            del words[0]
        if words:
            yield words


def check(words: list[str]) -> None:
    """Fail unless a command could be given as it stands, in a folder where nothing is yet."""
    program, *arguments = words
    program = program.removeprefix(".venv/bin/")
    if program == "dysample":
        check_verb(arguments)
    elif program == "make":
        targets = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(arguments) <= set(targets), words
    elif program == "pip":
        assert arguments[0] == "install", words
        extras = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
        named = re.findall(r"\[([\w,]+)\]", " ".join(arguments))
        assert {extra for names in named for extra in names.split(",")} <= set(extras), words
    elif program == "python":
        assert arguments[:2] == ["-m", "pytest"], words
        for path in arguments[2:]:
            assert (ROOT / path).exists(), path
    else:
        assert program in OTHERS, words


def check_verb(arguments: list[str]) -> None:
    """Fail unless `dysample` takes these arguments; nothing is run."""
    name, *rest = arguments
    if name in ("--help", "--version") and not rest:
        return
    verb = verbs.commands.get(name)
    assert verb is not None, f"no verb {name}"
    if not rest:  # named, or given without arguments, which some verbs need
        return
    try:
        # Runs and files of the pages are not here; all else is checked.
        with patch.object(click.Path, "convert", lambda self, value, *_: Path(value)):
            whole = verbs.make_context("dysample", [*arguments])
            context = verb.make_context(name, [*rest], whole)
        if name == "train" and not context.params["resume"]:
            with patch("click.echo"):  # the values too
                verbs.main([*arguments, "--print-config"], standalone_mode=False)
    except click.ClickException as error:
        pytest.fail(f"dysample {shlex.join(arguments)}: {error.format_message()}")
    except click.exceptions.Exit:  # help was asked for
        pass
