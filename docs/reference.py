"""Write the page on everything that can be imported, from signatures and docstrings.

`make pages` runs it, with `generate.py`. Upsamplers have pages of their own: here are their
signatures alone.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from texts import PAGES

import dysample
from dysample import export, functional, hub, nn, registry, surgery
from dysample.export.check import Comparison
from dysample.registry import get_entry
from dysample.workbench import look

DOCS = Path(__file__).parent
SECTIONS: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
    (
        "Upsamplers by name",
        "dysample",
        (dysample.create_upsampler, dysample.list_upsamplers, dysample.register_upsampler),
    ),
    ("", "dysample.registry", (registry.get_entry, registry.Entry)),
    (
        "Bases of the upsamplers",
        "dysample",
        (dysample.Upsampler, dysample.Guided, dysample.Inspection),
    ),
    ("Backends", "dysample", (dysample.backend, dysample.explain, dysample.Explanation)),
    (
        "Surgery",
        "dysample",
        (dysample.replace_upsamplers, dysample.find_sites, dysample.register_mm),
    ),
    ("", "dysample.surgery", (surgery.Report, surgery.Decision, surgery.Site)),
    ("Looking inside", "dysample.workbench.look", (look.show,)),
    ("Export", "dysample", (dysample.export_onnx,)),
    ("", "dysample.export", (export.Export, export.ExportError)),
    ("", "dysample.export.check", (Comparison,)),
    ("Published weights", "dysample.nn", (nn.published_state_dict,)),
    (
        "Sharing",
        "dysample.hub",
        (hub.save_pretrained, hub.from_pretrained, hub.push_to_hub, hub.create_model),
    ),
    (
        "Functions",
        "dysample.functional",
        tuple(
            value
            for name, value in vars(functional).items()
            if inspect.isfunction(value)
            and value.__module__ == functional.__name__
            and not name.startswith("_")
        ),
    ),
)
"""Title (none: goes on), where it is imported from, and what."""

HEADS = ("Args", "Returns", "Raises", "Attributes", "Convention", "Shapes", "Source")


def reference_page() -> str:
    """The page."""
    parts = [
        "# Reference",
        "What `dysample` and its modules offer to a program; the command line explains itself by"
        " `dysample VERB -h`.",
        "`import dysample` is quick: the parts, and torch with them, are loaded when they are first"
        " used. `from dysample import *` leaves `dysample.nn` and `dysample.functional` out, which"
        " would take the places of torch's.",
        "## Upsamplers",
        _upsamplers(),
    ]
    for title, module, members in SECTIONS:
        if title:
            parts.append(f"## {title}")
        for member in members:
            parts += [f"### {module}.{member.__name__}", *_member(member)]
    parts.append("<!-- Written by `make pages` from signatures and docstrings: edit those. -->")
    return "\n\n".join(parts) + "\n"


def _upsamplers() -> str:
    lines = ["| class | names | page |", "|---|---|---|"]
    pages = {get_entry(page.name).factory: page for page in reversed(PAGES)}
    for name in dysample.__all__:
        factory = getattr(dysample, name)
        if factory in pages:
            page = pages[factory]
            names = [n for n in dysample.list_upsamplers() if get_entry(n).factory is factory]
            link = f"[{page.title.split(',')[0]}](upsamplers/{page.name}.md)"
            lines.append(f"| `dysample.{name}` | {', '.join(f'`{n}`' for n in names)} | {link} |")
    return "\n".join(lines)


def _member(member: Any) -> Iterator[str]:
    if not (inspect.isclass(member) and issubclass(member, Exception)):
        yield f"```text\n{_call(member.__name__, member)}\n```"
    yield from _text(inspect.getdoc(member) or "")
    methods = "\n".join(_methods(member)) if inspect.isclass(member) else ""
    if methods:
        yield "**Members**"
        yield methods


def _methods(member: type) -> Iterator[str]:
    """A line for each documented public method or property of a class's own."""
    for name, value in vars(member).items():
        if name.startswith("_") or not value.__doc__:
            continue
        summary = _line((inspect.getdoc(value) or "").split("\n\n")[0])
        if isinstance(value, property):
            yield f"- `.{name}`: {summary}"
        elif inspect.isfunction(value):
            yield f"- `.{_call(name, value, 1000)}`: {summary}"


def _call(name: str, member: Any, width: int = 88) -> str:
    """Name, arguments and result; an argument a line where they are many."""
    signature = inspect.signature(member.__init__ if inspect.isclass(member) else member)
    arguments: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not any(a[0] == "*" for a in arguments):
            arguments.append("*")
        if parameter.name != "self":
            # Annotations are strings, which `str` would put into quotes.
            text = str(parameter.replace(annotation=inspect.Parameter.empty))
            name_of, equals, default = text.partition("=")
            if "<factory>" in default:  # made anew for each object
                default = "..."
            typed = f"{name_of}: {parameter.annotation}"
            arguments.append(f"{typed} = {default}" if equals else typed)
    end = ")" if inspect.isclass(member) else f") -> {signature.return_annotation}"
    line = f"{name}({', '.join(arguments)}{end}"
    if len(line) <= width:
        return line
    return "\n".join([f"{name}(", *(f"    {argument}," for argument in arguments), end])


def _text(doc: str) -> Iterator[str]:
    """Paragraphs, lists of arguments, examples and formulas of a docstring."""
    listed = False  # arguments may go on behind a blank line
    for block in re.split(r"\n\s*\n", doc):
        head, _, rest = block.partition("\n")
        title = head.partition(":")[0]
        if block.startswith(">>> "):
            yield f"```pycon\n{block}\n```"
        elif block.startswith("    ") and listed:
            yield "\n".join(_items(block))
        elif block.startswith("    "):
            yield f"```text\n{textwrap.dedent(block)}\n```"
        elif head.rstrip(":") in ("Args", "Attributes", "Raises"):
            yield f"**{title}**"
            yield "\n".join(_items(rest))
        elif title in HEADS:
            text = rest if head.rstrip(":") == title else block.partition(":")[2]
            yield f"**{title}** {_line(text)}"
        else:
            yield _line(block)
        listed = title in ("Args", "Attributes") or (listed and block.startswith("    "))


def _items(block: str) -> Iterator[str]:
    for item in re.split(r"\n(?=\S)", textwrap.dedent(block)):
        name, _, meaning = item.partition(":")
        yield f"- `{name}`: {_line(meaning)}"


def _line(text: str) -> str:
    """Wrapped, with what Markdown would take for emphasis or a link left as it stands."""
    parts = re.split(r"(``.*?``|`[^`]*`)", " ".join(text.split()))
    parts[::2] = [re.sub(r"([*\[\]<])", r"\\\1", part) for part in parts[::2]]
    parts[1::2] = [part.replace("``", "`") for part in parts[1::2]]
    return "".join(parts)
