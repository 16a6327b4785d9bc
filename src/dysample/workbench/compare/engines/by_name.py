"""Engines by name."""

from importlib.util import find_spec

from dysample.workbench.compare.engines.base import Engine
from dysample.workbench.compare.engines.local import LocalEngine

ENGINES = ("local", "ray")


def choose_engine(
    name: str = "local", workers: int | None = None, address: str | None = None
) -> Engine:
    """Return the engine of that name, not yet opened.

    Args:
        name: ``"local"`` for processes on this machine, or ``"ray"``.
        workers: runs at a time; None for one for each core of this machine, or for each CPU of the
            cluster at `address`.
        address: of a running Ray cluster that this machine is a node of, ``"auto"`` or
            ``"HOST:PORT"``; None starts a Ray of its own on this machine.

    Raises:
        ValueError: an unknown engine, one that is not installed, or values that do not fit it.
    """
    if name not in ENGINES:
        raise ValueError(f"`engine` (={name!r}) must be one of {', '.join(ENGINES)}")
    if workers is not None and workers < 1:
        raise ValueError(f"`workers` (={workers}) must be at least 1")
    if name == "local":
        if address is not None:
            raise ValueError(f"`address` (={address!r}) is for `engine` 'ray' alone")
        return LocalEngine(workers)
    if find_spec("ray") is None:
        raise ValueError("`engine` (='ray') needs Ray: pip install 'dysample[ray]'")
    from dysample.workbench.compare.engines.ray import RayEngine

    return RayEngine(workers, address)
