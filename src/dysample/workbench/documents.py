"""Load untrusted YAML with limits and checks."""

import re
from typing import Any

import yaml

LONGEST = 2**15
"""Characters of a configuration, which has about a thousand."""

DEEPEST = 100
"""Brackets that may be open at a time: the parser's time grows with their square."""

MOST = 10_000
"""Values in a configuration, those counted again to which aliases point."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML 1.1, but days are text, and numbers such as 1e-3 are those of YAML 1.2."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag != "tag:yaml.org,2002:timestamp"]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def load_yaml(text: str) -> Any:
    """Load a document; 1e-3 is a number, and days are text.

    Raises:
        ValueError: a document that is too long or too deep, contains itself, expands to too many
            values by aliases, repeats a key, or has a value that does not fit its tag or form.
        yaml.YAMLError: not YAML.
    """
    if len(text) > LONGEST:
        raise ValueError(f"must have at most {LONGEST} characters, but has {len(text)}")
    try:
        _check_depth(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = 0 if root is None else _count(root, {}, set())
    except RecursionError:
        raise ValueError("must not be nested so deeply") from None
    if values > MOST:
        raise ValueError(f"must hold at most {MOST} values, aliases written out, but has {values}")
    try:
        return _build(text)
    except _NO_VALUES as error:
        raise ValueError(_no_value(text) or f"cannot be read: {error}") from error


def _build(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


_NO_VALUES = (ValueError, TypeError, LookupError, AttributeError)
"""What the loader raises at `!!int x`, `!!bool x`, `!!int ''` and `!!timestamp x`."""


def _no_value(text: str) -> str | None:
    """Name the value that the loader cannot build."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.ScalarEvent):
            value = text[event.start_mark.index : event.end_mark.index]
            try:
                _build(value)
            except yaml.YAMLError:  # in several lines, which mean something else alone
                continue
            except _NO_VALUES:
                return (
                    f"must not hold {value[:100]!r}, which is no value, as line {_line(event)} does"
                )
    return None


def _check_depth(text: str) -> None:
    depth = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        if depth > DEEPEST:
            raise RecursionError


def _count(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """Count the values in a node; `known` and `above` go by identity, as aliases share nodes."""
    key = id(node)
    if key in above:
        raise ValueError(f"must not hold itself, as line {_line(node)} does")
    if key in known:
        return known[key]
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        parts = node.value
    elif isinstance(node, yaml.MappingNode):
        _check_keys(node)
        parts = [part for pair in node.value for part in pair]
    above.add(key)
    known[key] = 1 + sum(_count(part, known, above) for part in parts)
    above.remove(key)
    return known[key]


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for name, _ in node.value:
        if isinstance(name, yaml.ScalarNode):
            if name.value in seen:
                raise ValueError(f"must not hold {name.value!r} twice, as line {_line(name)} does")
            seen.add(name.value)


def _line(node: yaml.Node | yaml.Event) -> int:
    line: int = node.start_mark.line + 1
    return line
