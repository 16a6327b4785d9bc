"""Explain which backend runs a module, and why the others do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from dysample.backends.cpu import library
from dysample.backends.gpu import support
from dysample.modes import evaluated
from dysample.ops import Choice, recorded


@dataclass(frozen=True)
class Explanation:
    """The backend of each call of a primitive, in order; prints as a table."""

    choices: tuple[Choice, ...]

    def __str__(self) -> str:
        """Return one line for each call; repeated lines are counted."""
        lines: list[list[Any]] = []
        for choice in self.choices:
            text = f"{choice.primitive:<15} {choice.backend}"
            if choice.why_not is not None:
                text += f": no fused kernel, since {choice.why_not}"
            elif choice.backend == "cpu":
                text += f" ({library.isa})"
            elif support.interpreted():
                text += " (interpreted)"
            if lines and lines[-1][0] == text:
                lines[-1][1] += 1
            else:
                lines.append([text, 1])
        if not lines:
            return "no primitive of dysample was called"
        return "\n".join(text if n == 1 else f"{text} ({n} calls)" for text, n in lines)


def explain(module: nn.Module, *inputs: Any, **options: Any) -> Explanation:
    """Run a module once, in eval mode without gradients, and report the backend of each primitive.

    >>> import torch, dysample
    >>> with dysample.backend("eager"):
    ...     print(dysample.explain(dysample.CARAFE(8), torch.zeros(1, 8, 4, 4)))
    reassemble      eager: no fused kernel, since the backend is set to 'eager'

    Args:
        module: an upsampler, or any model that holds some.
        inputs: positional arguments of the call.
        options: keyword arguments of the call.
    """
    with recorded() as choices, evaluated(module):
        module(*inputs, **options)
    return Explanation(tuple(choices))
