"""Read initial weights from a file, and load them into a part of a model."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a state dict by name; no code in the file is run.

    Args:
        path: of a ``.safetensors`` file, or of one that torch has saved.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that cannot be read, or holds something else.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"weights file {path} does not exist")
    found: Any
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            found = load_file(path)
        except (SafetensorError, OSError) as error:
            raise _unreadable(path, error) from error
    else:
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise _unreadable(path, error) from error
    if (
        not isinstance(found, Mapping)
        or not found
        or not all(isinstance(value, Tensor) for value in found.values())
    ):
        raise ValueError(f"weights file {path} must hold a state dict: tensors by name")
    return dict(found)


def fill(
    part: nn.Module,
    weights: Mapping[str, Tensor],
    source: str,
    *,
    unused: str = "(?!)",
    new: str = "(?!)",
) -> None:
    """Load weights into a part of a model, all of it, in place.

    Args:
        part: whose state they are.
        weights: by name.
        source: of the weights, for messages.
        unused: pattern that names fit at their start which the part need not have, such as those
            of a classifier; none by default.
        new: the same for names that the weights need not have.

    Raises:
        ValueError: a name is missing or unexpected, or a tensor has another shape.
    """
    try:
        missing, unexpected = part.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise ValueError(f"weights {source} do not fit the model: {lines[-1].strip()}") from error
    check_names(missing, unexpected, source, unused=unused, new=new)


def check_names(
    missing: list[str], unexpected: list[str], source: str, *, unused: str, new: str
) -> None:
    """Raise a ValueError for names besides those of `unused` and `new`; see `fill`."""
    for what, names, pattern in (("lack", missing, new), ("hold", unexpected, unused)):
        wrong = sorted(name for name in names if not re.match(pattern, name))
        if wrong:
            others = f" and {len(wrong) - 1} more that it" if len(wrong) > 1 else ", which it"
            needs = "needs" if what == "lack" else "does not have"
            raise ValueError(
                f"weights {source} do not fit the model: they {what} {wrong[0]}{others} {needs}"
            )


def _unreadable(path: Path, error: Exception) -> ValueError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ValueError(f"weights file {path} cannot be read: {reason}")
