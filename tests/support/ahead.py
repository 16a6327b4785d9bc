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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dysample.backends.gpu import support

TARGETS = {"sm_80": 80, "sm_90": 90}
"""Compute capabilities, times ten, for which kernels are compiled: A100 and H100."""

FOLDER = Path(__file__).parents[1]
F32, F16, BF16 = torch.float32, torch.float16, torch.bfloat16
Run = Callable[[torch.dtype, bool], None]


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


TABLE = FOLDER / "backends" / "gpu" / "budget.json"


def version() -> str:
    """The release of Triton that compiles here."""
    import triton

    return triton.__version__


def read_table() -> dict[str, Any]:
    """The committed rows of kernels and of calls, and the release of Triton that they are of."""
    return json.loads(TABLE.read_text())


def write_table() -> None:
    """Compile for every target, and write what `read_table` reads: a row a line."""
    made = [row for target in TARGETS for row in rows(target)]
    first = next(iter(TARGETS))
    calls = [row for row in made if "floor" in row and row["target"] == first]
    for row in calls:
        del row["target"]
    kernels = [row for row in made if "kernel" in row]
    parts = {"triton": json.dumps(version()), "calls": _lines(calls), "kernels": _lines(kernels)}
    text = ",\n".join(f'"{key}": {value}' for key, value in parts.items())
    TABLE.write_text(f"{{\n{text}\n}}\n")


def _lines(rows: list[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]"


def _tool(name: str) -> Path:
    root = find_spec("triton")
    return Path(root.origin).parent / "backends" / "nvidia" / "bin" / name


class Call(NamedTuple):
    """A call of a primitive at a size that papers and the bench use.

    Attributes:
        run: what calls it on meta tensors, given dtype and channels_last.
        floor: elements of the low-res map that must be read or written, in its dtype, and of the
            field and everything else in float32.
    """

    run: Run
    floor: tuple[int, int]


def meta(*shape: int, dtype: torch.dtype = F32, last: bool = False) -> Tensor:
    """A tensor without numbers."""
    kind = torch.channels_last if last else torch.contiguous_format
    return torch.empty(shape, dtype=dtype, device="meta", memory_format=kind)


def calls() -> dict[str, Call]:
    """The calls that are compiled, by name."""
    from dysample.backends.gpu import point_sample, reassemble

    W1, W4 = (1, 256, 120, 120), (2, 256, 64, 64)

    def maps(shape: tuple[int, ...], dtype: torch.dtype, last: bool) -> tuple[Tensor, Tensor]:
        B, C, H, W = shape
        return meta(*shape, dtype=dtype, last=last), meta(
            B, C, 2 * H, 2 * W, dtype=dtype, last=last
        )

    def sampled(dtype: torch.dtype, last: bool) -> None:
        x, _ = maps(W1, dtype, last)
        point_sample.point_sample(x, meta(1, 32, 120, 120), 2, (240, 240), False)

    def sampled_back(dtype: torch.dtype, last: bool) -> None:
        x, high = maps(W4, dtype, last)
        point_sample.point_sample_backward(high, x, meta(2, 32, 64, 64), 2, False, (True, True))

    def in_order(dtype: torch.dtype, last: bool) -> None:
        torch.use_deterministic_algorithms(True)
        sampled_back(dtype, last)
        torch.use_deterministic_algorithms(False)

    def carafe(dtype: torch.dtype, last: bool) -> None:
        x, _ = maps(W1, dtype, last)
        reassemble.reassemble(x, meta(1, 100, 120, 120), 5, 2, (240, 240), True)

    def carafe_back(dtype: torch.dtype, last: bool) -> None:
        x, high = maps(W4, dtype, last)
        field, wanted = meta(2, 100, 64, 64), (True, True)
        reassemble.reassemble_backward(high, x, field, 5, 2, True, wanted)

    def embedded(dtype: torch.dtype, last: bool) -> tuple[Tensor, Tensor]:
        key, query = maps((1, 32, 120, 120), dtype, last)
        return query, key

    def affinity(dtype: torch.dtype, last: bool) -> None:
        reassemble.affinity(*embedded(dtype, last), 5, 1)

    def affinity_back(dtype: torch.dtype, last: bool) -> None:
        high, wanted = meta(1, 25, 240, 240), (True, True)
        reassemble.affinity_backward(high, *embedded(dtype, last), 5, 1, wanted)

    low1, field1 = 256 * 120**2, 32 * 120**2
    low4, field4 = 2 * 256 * 64**2, 2 * 32 * 64**2
    return {
        "point_sample W1": Call(sampled, (5 * low1, field1)),
        "point_sample W4, gradients": Call(sampled_back, (6 * low4, 2 * field4)),
        "point_sample W4, gradients in order": Call(in_order, (6 * low4, 2 * field4)),
        "reassemble W1, k = 5": Call(carafe, (5 * low1, 100 * 120**2)),
        "reassemble W4, k = 5, gradients": Call(carafe_back, (6 * low4, 4 * 100 * 64**2)),
        "affinity 32 x W1, k = 5": Call(affinity, (5 * 32 * 120**2, 100 * 120**2)),
        "affinity 32 x W1, k = 5, gradients": Call(affinity_back, (10 * 32 * 120**2, 100 * 120**2)),
    }


def variants() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Calls of what else kernels are compiled for: other dtypes, sizes, scales and kernel sizes."""
    from dysample.backends.gpu import launch, point_sample, reassemble

    def sampled(dtype: torch.dtype, last: bool, out: tuple[int, int], scale: int) -> None:
        x, high = meta(1, 12, 13, 20, dtype=dtype, last=last), meta(1, 12, *out, dtype=dtype)
        field = meta(1, 4 * scale**2, 13, 20, dtype=dtype)
        point_sample.point_sample(x, field, scale, out, True)
        for in_order in (False, True):
            torch.use_deterministic_algorithms(in_order)
            point_sample.point_sample_backward(high, x, field, scale, True, (True, True))
        torch.use_deterministic_algorithms(False)
        point_sample.point_sample_backward(high, x, field, scale, True, (True, False))

    def summed(dtype: torch.dtype, last: bool, out: tuple[int, int], scale: int, k: int) -> None:
        x, high = meta(1, 12, 13, 20, dtype=dtype, last=last), meta(1, 12, *out, dtype=dtype)
        field = meta(1, 2 * k**2 * scale**2, 13, 20, dtype=dtype)
        reassemble.reassemble(x, field, k, scale, out, False)
        reassemble.reassemble_backward(high, x, field, k, scale, False, (True, True))

    for last in (False, True):
        for dtype in (BF16, torch.float64):
            yield f"{dtype}", lambda dtype=dtype, last=last: sampled(dtype, last, (26, 40), 2)
            yield f"{dtype}", lambda dtype=dtype, last=last: summed(dtype, last, (26, 40), 2, 3)
        for out, scale in (((25, 39), 2), ((39, 60), 3), ((5, 7), 1), ((52, 80), 4)):
            name = f"to {out}"
            yield name, lambda out=out, scale=scale, last=last: sampled(F32, last, out, scale)
            yield name, lambda out=out, scale=scale, last=last: summed(F32, last, out, scale, 3)
        for k in (1, 7, 9):
            yield f"k = {k}", lambda k=k, last=last: summed(F32, last, (26, 40), 2, k)
    launch._WIDE = 0
    for last in (False, True):
        yield "64-bit offsets", lambda last=last: sampled(F32, last, (25, 39), 2)
        yield "64-bit offsets", lambda last=last: summed(F32, last, (25, 39), 2, 3)


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
