"""Optional dependencies: what each extra installs, and which extra provides a missing module."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires

VERBS = {
    "bench": "cli",
    "compare": "workbench",
    "cost": "cli",
    "data": "workbench",
    "demo": "demo",
    "evaluate": "workbench",
    "export": "cli,export",
    "report": "report",
    "show": "look",
    "sites": "cli",
    "train": "workbench",
}
"""What each verb of the command line needs; `info` needs none."""

_IMPORTED_AS = {"pil": "pillow", "yaml": "pyyaml"}
_OTHERS = {"all", "dev", "docs", "hosts"}  # all together, and what tests and pages need
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[([\w,-]+)\])?.*; *extra == ['\"]([\w-]+)['\"]")


def extras() -> dict[str, frozenset[str]]:
    """Return the packages of each extra, without those of the extras that it includes.

    Empty if dysample is not installed as a package.
    """
    found: dict[str, set[str]] = {}
    for name, _, extra in _requirements():
        if extra not in _OTHERS:
            found.setdefault(extra, set()).update({_plain(name)} - {"dysample", "torch"})
    return {extra: frozenset(packages) for extra, packages in sorted(found.items())}


def missing(module: str, verb: str = "") -> str:
    """Return the message for a missing module: its name, and the command that installs it.

    Args:
        module: as it is imported, such as ``"PIL.Image"``.
        verb: of the command line; its extra comes first, then those with the fewest packages.
    """
    name = _plain(module.partition(".")[0])
    package = _IMPORTED_AS.get(name, name)
    # Of two extras that install the same, prefer the one that names more of it.
    others = sorted(extras(), key=lambda e: (len(_packages(e)), -len(extras()[e])))
    for extra in (VERBS.get(verb, "cli"), *others):
        if package in _packages(extra):
            return f"no module {module}: pip install 'dysample[{extra}]'"
    return f"no module {module}"


def _packages(extras: str) -> frozenset[str]:
    """Return all packages of some extras, given as in a requirement, ``"cli,export"``."""
    wanted = set(extras.split(","))
    found: set[str] = set()
    for name, others, extra in _requirements():
        if extra in wanted:
            found |= _packages(others) if name == "dysample" else {_plain(name)}
    return frozenset(found)


def _requirements() -> list[tuple[str, str, str]]:
    """Yield each package, its own extras, and the extra of dysample that needs it."""
    try:
        lines = requires("dysample") or []
    except PackageNotFoundError:
        return []
    found = map(_REQUIREMENT.match, lines)
    return [(match[1], match[2] or "", match[3]) for match in found if match is not None]


def _plain(name: str) -> str:
    """Return a package's normalised name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
