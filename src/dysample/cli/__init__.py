"""The command line: one thin file for each verb, which imports its libraries when it is called."""

import sys

try:
    import click  # noqa: F401
    import rich  # noqa: F401
except ModuleNotFoundError as error:  # only the operators are installed
    from dysample.cli.core import run

    sys.exit(run(sys.argv[1:], str(error.name)))

from dysample.cli.ending import end
from dysample.cli.group import verbs


def main() -> None:
    """Run the command line; a usage error is one line on stderr and exit code 2."""
    end(lambda: verbs(standalone_mode=False))
