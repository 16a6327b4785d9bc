"""Load the compiled kernels, or tell why there are none.

For each instruction set there is one library beside this file, built from `csrc/` at installation.
The libraries depend on neither torch nor Python, so one build serves every version of both.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import torch
from torch import Tensor

from dysample.checks import check_reverse_mode

ISAS = ("baseline", "avx2", "avx512")
"""Instruction sets, each containing the one before it; "baseline" is SSE2 or NEON."""

VARIABLE = "DYSAMPLE_ISA"
"""Environment variable that names the instruction set to use instead of the best one."""

DTYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}
"""Numbers of the dtypes in the kernels' interface."""

WORTH_A_THREAD = 2**15
"""Elements of the largest tensor that make another thread worth waking, as in torch itself."""

_BUILD = "build them with a C++20 compiler: `pip install --force-reinstall --no-deps dysample`, or"
_BUILD += " `make kernels` in a checkout"
_FAILURES = {1: "memory ran out", 2: "unknown dtype"}

_POINTER, _INT, _DOUBLE = ctypes.c_void_p, ctypes.c_int, ctypes.c_double
_SIGNATURES = {
    "dysample_point_sample": [
        *(_POINTER, _INT) * 2, _POINTER, _POINTER, _POINTER, _INT, _INT, _INT,
    ],
    "dysample_point_sample_backward": [
        _POINTER, _POINTER, _INT, _POINTER, _INT, _POINTER, _POINTER, _POINTER, _POINTER,
        _INT, _INT, _INT,
    ],
    "dysample_offset_field": [
        _POINTER, _INT, *(_POINTER,) * 4, _DOUBLE, *(_POINTER,) * 4, _INT, _INT,
    ],
    "dysample_reassemble": [
        *(_POINTER, _INT) * 2, _POINTER, _POINTER, _POINTER, *(_INT,) * 4,
    ],
    "dysample_reassemble_backward": [
        *(_POINTER, _INT) * 2, _POINTER, _POINTER, _POINTER, *(_INT,) * 4,
    ],
    "dysample_reassemble_backward_weight": [
        _POINTER, *(_POINTER, _INT) * 2, _POINTER, _POINTER, _POINTER, *(_INT,) * 4,
    ],
    "dysample_affinity": [_POINTER, _POINTER, _INT, _POINTER, _POINTER, *(_INT,) * 3],
}  # fmt: skip


def _load() -> tuple[ctypes.CDLL | None, str, str | None]:
    """Return the library for this processor and its instruction set, or why there is none."""
    folder = Path(__file__).parent
    if sys.byteorder != "little":
        return None, "", "the CPU kernels are for little-endian processors"
    paths = {isa: folder / f"libdysample_{isa}.so" for isa in ISAS}
    if not paths["baseline"].exists():
        return None, "", f"the CPU kernels are not compiled: {_BUILD}"
    try:
        best = int(ctypes.CDLL(str(paths["baseline"])).dysample_best_isa())
        choice = os.environ.get(VARIABLE) or next(
            isa for isa in reversed(ISAS[: best + 1]) if paths[isa].exists()
        )
        if choice not in ISAS or not paths[choice].exists():
            built = ", ".join(isa for isa in ISAS if paths[isa].exists())
            raise ValueError(f"`{VARIABLE}` (={choice!r}) must be one of {built}")
        if ISAS.index(choice) > best:
            raise ValueError(f"`{VARIABLE}` (={choice!r}) is beyond this processor: {ISAS[best]}")
        library = ctypes.CDLL(str(paths[choice]))
        for name, arguments in _SIGNATURES.items():
            getattr(library, name).argtypes = arguments
    except (OSError, AttributeError) as error:
        return None, "", f"the CPU kernels do not load ({error}): {_BUILD}"
    return library, choice, None


_LIBRARY, isa, missing = _load()


def call(name: str, *arguments: object) -> None:
    """Run a kernel on as many threads as torch uses; tensors are passed by address.

    Small calls use fewer threads. The arguments keep the tensors alive; ctypes lets other Python
    threads run meanwhile.

    Raises:
        NotImplementedError: in forward mode, whose derivatives would be lost here. `dispatch` sends
                such calls to plain torch.
    """
    check_reverse_mode(name.removeprefix("dysample_"))
    largest = max(a.numel() for a in arguments if isinstance(a, Tensor))
    threads = min(torch.get_num_threads(), 1 + largest // WORTH_A_THREAD)
    plain = (a.data_ptr() if isinstance(a, Tensor) else a for a in arguments)
    status = getattr(_LIBRARY, name)(*plain, threads)
    if status != 0:
        raise RuntimeError(f"{name}: {_FAILURES.get(status, status)}")


def integers(*values: int) -> ctypes.Array[ctypes.c_int64]:
    """Convert sizes or strides to the array type of the kernels."""
    return (ctypes.c_int64 * len(values))(*values)
