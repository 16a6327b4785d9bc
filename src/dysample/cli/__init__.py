"""The command line: a file a verb, thin; the parts are imported when their verb is called."""

import sys

try:
    import click  # noqa: F401
    import rich  # noqa: F401
except ModuleNotFoundError as error:  # the operators are installed alone
    from dysample.cli.core import run

    sys.exit(run(sys.argv[1:], str(error.name)))

from dysample.cli.ending import end
from dysample.cli.group import verbs


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    end(lambda: verbs(standalone_mode=False))
