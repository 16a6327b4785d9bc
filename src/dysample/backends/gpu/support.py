"""Whether Triton's kernels can run on a device, or why they cannot."""

from __future__ import annotations

import os
from functools import cache

import torch

from dysample.checks import one_line

OLDEST = (3, 3)
"""First release of Triton with tuples, which the kernels of windows use."""

CAPABILITY = (7, 5)
"""Least compute capability of an NVIDIA GPU for which the kernels were compiled."""

VARIABLE = "TRITON_INTERPRET"
"""Triton's environment variable: 1, before its first import, interprets kernels on a CPU."""

_INSTALL = "`pip install triton`, which torch's builds for Linux bring along"


def why_not(device: torch.device) -> str | None:
    """Return why the kernels cannot run on a device; None if they can. Imports Triton."""
    if device.type not in ("cpu", "cuda"):
        return f"a tensor lies on {device}"
    reason = missing()
    if reason is not None:
        return reason
    if device.type == "cpu":
        return None if interpreted() else f"a tensor lies on cpu, and {VARIABLE} is not 1"
    return _unfit(device.index)


# torch.compile takes the answer as it is: it neither changes nor can be traced. This is what
# `torch.compiler.assume_constant_result` does, which imports the whole compiler.
why_not._dynamo_marked_constant = True  # type: ignore[attr-defined]


def interpreted() -> bool:
    """Whether Triton interprets kernels on the CPU, slowly, instead of compiling them."""
    return os.environ.get(VARIABLE, "").lower() in ("1", "true", "yes", "on", "y")


@cache
def missing() -> str | None:
    """Return why Triton cannot be used; None if it can."""
    try:
        import triton
        import triton.language
    except ModuleNotFoundError:
        return f"Triton is not installed: {_INSTALL}"
    except Exception as error:  # it loads libraries of the driver
        return f"Triton does not load ({one_line(error)})"
    version = str(triton.__version__)
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        return f"Triton {version} is older than {'.'.join(map(str, OLDEST))}: {_INSTALL}"
    return None


@cache
def _unfit(index: int | None) -> str | None:
    """Return why a GPU cannot run Triton's kernels; None if it can, or if there is none to ask."""
    if not torch.cuda.is_available():
        return None  # tensors without numbers lie on a GPU that is not here
    if torch.version.hip is None:
        found = torch.cuda.get_device_capability(index)
        if found < CAPABILITY:
            name, least = torch.cuda.get_device_name(index), ".".join(map(str, CAPABILITY))
            return f"the compute capability of {name} (={found[0]}.{found[1]}) is below {least}"
    return None if interpreted() else _not_started()


def _not_started() -> str | None:
    """Return why Triton does not start: it compiles what launches kernels, with a C compiler."""
    from triton.runtime import driver

    try:
        driver.active  # noqa: B018  # made when it is first asked for
    except Exception as error:
        return f"Triton does not start ({one_line(error)})"
    return None
