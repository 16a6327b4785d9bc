"""The fuzz tests on kernels that report accesses out of bounds and undefined behaviour.

`make sanitize` builds them, then runs this file with the folder of the package that holds them and
the compiler. It starts itself anew with the sanitizers loaded, and from there once more for every
instruction set of this machine.
"""

import os
import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).parent / "backends" / "test_cpu_fuzz.py"


def with_sanitizers(sources: str, compiler: str) -> int:
    """Load them before anything else: they take over the allocation of memory."""
    libraries = [
        subprocess.check_output([compiler, f"-print-file-name={name}"], text=True).strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    environment = os.environ | {
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # what Python allocates once stays
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "DYSAMPLE_HYPOTHESIS": "sanitize",
    }
    environment.pop("DYSAMPLE_ISA", None)
    return subprocess.call([sys.executable, __file__, sources], env=environment)


def on_every_instruction_set(sources: str) -> int:
    from dysample.backends.cpu import library

    if not Path(library.__file__).is_relative_to(Path(sources).resolve()):
        sys.exit(f"{library.__file__} was to be tested in {sources}")
    if library.missing:
        sys.exit(library.missing)
    failed = 0
    for isa in library.ISAS[: library.ISAS.index(library.isa) + 1]:
        sys.stdout.write(f"{isa}: ")
        sys.stdout.flush()
        environment = os.environ | {"DYSAMPLE_ISA": isa}
        failed |= subprocess.call([sys.executable, __file__, sources], env=environment)
    return failed


def main(sources: str, *compiler: str) -> int:
    if compiler:
        return with_sanitizers(sources, *compiler)
    # Not the checkout, which is installed in place.
    sys.meta_path[:] = [
        finder for finder in sys.meta_path if "editable" not in type(finder).__module__
    ]
    sys.path.insert(0, str(Path(sources).resolve()))
    if "DYSAMPLE_ISA" not in os.environ:
        return on_every_instruction_set(sources)
    import pytest

    # Reports come from the kernels: what they write must not be caught.
    return pytest.main(["-q", "--capture=no", "-p", "no:cacheprovider", str(FUZZ)])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
