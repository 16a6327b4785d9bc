"""The command line of an installation without click and rich: the operators only."""

import sys

from dysample import __version__
from dysample.extras import VERBS, missing

_USAGE = """\
Usage: dysample info | --version | --help

info  Versions, processor, and whether the fast CPU kernels are there.

The operators are installed alone. The other verbs need more:
"""


def run(arguments: list[str], module: str) -> int:
    """Run a command that needs only the operators; return the exit code.

    Args:
        arguments: of the command line, without its name.
        module: the missing module, which every other verb needs.
    """
    if not arguments or arguments[-1] in ("-h", "--help"):
        answer = _usage()
    elif arguments == ["--version"]:
        answer = f"dysample, version {__version__}"
    elif arguments == ["info"]:
        from dysample.info import describe

        answer = describe()
    else:
        print(f"dysample: error: {missing(module, arguments[0])}", file=sys.stderr)  # noqa: T201
        return 2
    print(answer)  # noqa: T201
    return 0


def _usage() -> str:
    verbs: dict[str, list[str]] = {}
    for verb, extra in VERBS.items():
        verbs.setdefault(f"pip install 'dysample[{extra}]'", []).append(verb)
    return _USAGE + "\n".join(f"  {how:<36} {', '.join(names)}" for how, names in verbs.items())
