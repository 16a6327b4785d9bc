"""Compile Triton's kernels for GPUs that are not here, as they are launched, and read the code.

    python -m support.ahead sm_90 [variants] > rows.json

A stand-in for the driver names the target. The production functions run on meta tensors, and what
they launch is compiled and disassembled instead: registers, stack, shared memory and memory
instructions of every kernel, and the bytes of every call.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dysample.backends.gpu import support
from support.gpu_calls import F16, F32, calls, variants

TARGETS = {"sm_80": 80, "sm_90": 90}
"""Compute capabilities, times ten, for which kernels are compiled: A100 and H100."""

FOLDER = Path(__file__).parents[1]


def missing() -> str | None:
    """Why nothing can be compiled here; None if it can."""
    return support.missing() or (None if _tool("ptxas").exists() else "Triton has no ptxas here")


def rows(target: str, *options: str) -> list[dict[str, Any]]:
    """What `main` prints for a target, compiled in a process of its own.

    Triton decides at its import whether it interprets.
    """
    environment = {k: v for k, v in os.environ.items() if k != support.VARIABLE}
    done = subprocess.run(
        [sys.executable, "-m", "support.ahead", target, *options],
        env=environment | {"PYTHONPATH": os.pathsep.join([str(FOLDER), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def _tool(name: str) -> Path:
    root = find_spec("triton")
    return Path(root.origin).parent / "backends" / "nvidia" / "bin" / name


class _Bytes(TorchDispatchMode):
    """Counts what torch's own operations read and write; views are free."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        out = function(*args, **(kwargs or {}))
        outs = [value for value in torch.utils._pytree.tree_leaves(out) if _is_tensor(value)]
        ins = [value for value in torch.utils._pytree.tree_leaves(args) if _is_tensor(value)]
        known = {value.untyped_storage()._cdata for value in ins}
        fresh = not any(made.untyped_storage()._cdata in known for made in outs)
        if (fresh or "copy_" in str(function)) and "empty" not in str(function):
            self.total += sum(value.nbytes for value in (*ins, *outs))
        return out


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


class Launch(NamedTuple):
    kernel: Any
    arguments: tuple[Any, ...]
    options: dict[str, Any]


@contextmanager
def launches() -> Iterator[list[Launch]]:
    """Collect what is launched within, instead of launching it."""
    from dysample.backends.gpu import launch, point_sample, reassemble

    modules = [launch, point_sample, reassemble]
    found: list[Launch] = []

    def collect(kernel: Any, grid: Any, arguments: tuple[Any, ...], **options: Any) -> None:
        found.append(Launch(kernel, arguments, options))

    before = [module.run for module in modules]
    for module in modules:
        module.run = collect
    try:
        yield found
    finally:
        for module, run in zip(modules, before):
            module.run = run


def main() -> None:
    """Print the rows of one target as JSON."""
    target = sys.argv[1]
    _use(TARGETS[target])
    made = []
    if sys.argv[2:] == ["variants"]:
        for name, run in variants():
            with launches() as found:
                run()
            made += [{"call": name, "target": target, **_read(one)} for one in found]
        sys.stdout.write(json.dumps(made))
        return
    for name, call in calls().items():
        for dtype in (F32, F16):
            for last in (False, True):
                with launches() as found, _Bytes() as counted:
                    call.run(dtype, last)
                moved = counted.total + sum(map(_moved, found))
                floor = call.floor[0] * dtype.itemsize + call.floor[1] * 4
                common = {"call": name, "dtype": str(dtype)[6:], "last": last, "target": target}
                made.append({**common, "bytes": moved, "floor": floor})
                made += [{**common, **_read(one)} for one in found]
    sys.stdout.write(json.dumps(made))


def _moved(one: Launch) -> int:
    """Bytes of the tensors that a launch reads and writes, each of them once."""
    given = [value for value in one.arguments if _is_tensor(value)]
    if one.options.get("FAR"):  # the marks of its table, where nothing is far
        given = given[-1:]
    if not one.options.get("TABLE", True):  # stand-ins for what is not written
        given = given[:-2]
    return sum(value.nbytes for value in {id(value): value for value in given}.values())


def _use(capability: int) -> None:
    """Make Triton compile for a GPU that is not here."""
    from triton.backends.compiler import GPUTarget
    from triton.runtime.driver import driver

    class Driver:
        def get_current_target(self) -> Any:
            return GPUTarget("cuda", capability, 32)

        def get_current_device(self) -> int:
            return 0

        def get_current_stream(self, device: int | None = None) -> int:
            return 0

        def get_active_torch_device(self) -> torch.device:
            return torch.device("cuda")

        def map_python_to_cpp_type(self, name: str) -> str:
            return name

    driver.set_active(Driver())


def _read(one: Launch) -> dict[str, Any]:
    """Compile a launch; numbers of its code."""
    options = one.options | {"enable_fp_fusion": True}
    compiled = one.kernel.warmup(*one.arguments, grid=(1,), **options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(compiled.asm["cubin"])
        usage = _said("cuobjdump", "--dump-resource-usage", str(path))
        code = _said("nvdisasm", "-c", str(path))
    numbers = {key: int(value) for key, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", usage)}
    operations = re.findall(r"^\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)", code, re.M)
    widest = Counter(_memory(operation) for operation in operations)
    widest.pop(None, None)
    return {
        "kernel": one.kernel.__name__,
        "registers": numbers["REG"],
        "spilled": numbers["STACK"] + numbers["LOCAL"],
        "shared": compiled.metadata.shared,
        "warps": compiled.metadata.num_warps,
        "instructions": len(operations),
        "memory": dict(sorted(widest.items())),
    }


def _said(tool: str, *arguments: str) -> str:
    return subprocess.run(
        [_tool(tool), *arguments], capture_output=True, text=True, check=True
    ).stdout


def _memory(operation: str) -> str | None:
    """Kind and width in bits of an access to global memory, a barrier or an access to a stack."""
    base, *rest = operation.split(".")
    if base in ("LDG", "STG"):
        width = next((part for part in rest if part in ("64", "128", "U16", "U8")), "32")
        return f"{base}.{width.removeprefix('U')}"
    return base if base in ("RED", "REDG", "ATOMG", "LDL", "STL", "BAR") else None


if __name__ == "__main__":
    main()
