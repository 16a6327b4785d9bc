"""Describe this installation: for `dysample info`, and for bug reports."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from dysample.backends.cpu import library
from dysample.backends.gpu import support
from dysample.extras import extras
from dysample.ops import dispatch


def describe() -> str:
    """Return the entries of `system_info`, one line each."""
    entries = system_info()
    width = max(map(len, entries))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in entries.items())


def system_info() -> dict[str, str]:
    """Return versions, processor, kernels, instruction set and optional packages by name."""
    return {
        "dysample": _version("dysample") or "not installed as a package",
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "torch": f"{torch.__version__}, {torch.get_num_threads()} threads",
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "CPU kernels": library.missing or f"{library.isa} ({library.VARIABLE} chooses another)",
        "GPU": gpu(),
        "Triton kernels": triton_kernels(),
        "backend": f"{dispatch.forced()} ({dispatch.VARIABLE} chooses another)",
        **{f"extra {name}": _extra(packages) for name, packages in extras().items() if packages},
    }


def processor() -> str:
    """Model name of the processor; platform has only its architecture on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def gpu() -> str:
    """Names and compute capabilities of the GPUs that torch sees."""
    if not torch.cuda.is_available():
        return "none that torch sees"
    name, capability = torch.cuda.get_device_name, torch.cuda.get_device_capability
    return ", ".join(
        f"{name(index)} ({'.'.join(map(str, capability(index)))})"
        for index in range(torch.cuda.device_count())
    )


def triton_kernels() -> str:
    """Whether Triton's kernels can run, where, and which release compiles them."""
    if support.interpreted():
        return support.missing() or f"interpreted on the CPU, as {support.VARIABLE} says"
    if not torch.cuda.is_available():
        return "no GPU to run on"
    reason = support.why_not(torch.device("cuda", 0))
    return reason or f"Triton {_version('triton') or ''}".strip()


def _extra(packages: frozenset[str]) -> str:
    missing = [name for name in sorted(packages) if _version(name) is None]
    if missing:
        return f"missing {', '.join(missing)}"
    return ", ".join(f"{name} {_version(name)}" for name in sorted(packages))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
