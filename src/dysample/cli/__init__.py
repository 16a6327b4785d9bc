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
from dysample.extras import missing


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
<<<<<<< HEAD
    try:
        code = verbs(standalone_mode=False)
    except click.ClickException as error:
        _fail(error.format_message())
    except (*MISTAKES, ChildProcessError) as error:
        _fail(str(error))
    except ModuleNotFoundError as error:  # of an extra that is not installed
        _fail(missing(error.name, "".join(sys.argv[1:2])) if error.name else str(error))
    except (KeyboardInterrupt, click.Abort):
        click.echo(f"dysample: stopped{GOES_ON.get(''.join(sys.argv[1:2]), '')}", err=True)
        sys.exit(130)
    sys.exit(code)


def _fail(message: str) -> None:
    click.echo(f"dysample: error: {' '.join(message.split())}", err=True)
    sys.exit(2)
=======
    end(lambda: verbs(standalone_mode=False))
>>>>>>> runs
