"""`python -m dysample`: the command line."""

from dysample.cli import main

if __name__ == "__main__":
    main()
