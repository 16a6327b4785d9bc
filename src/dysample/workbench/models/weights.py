"""Initial weights: read from a file, or ImageNet's from a library, and put into parts of models."""

import pickle
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dysample.checks import one_line
from dysample.workbench.settings import PRETRAINED

_SWIN = "microsoft/swin-{}-patch4-window"
REPOSITORIES = {
    **{f"segformer_b{i}": f"nvidia/mit-b{i}" for i in range(6)},
    # The tiny and the small one look at 7 x 7 tokens at a time, the others at 12 x 12.
    **{f"swin_{size}": f"{_SWIN.format(size)}7-224" for size in ("tiny", "small")},
    **{f"swin_{size}": f"{_SWIN.format(size)}12-384-in22k" for size in ("base", "large")},
}
"""Where the Hugging Face hub keeps the weights of each encoder."""

# Classifiers and segmentation heads, and the last normalisation, which a backbone does without.
_HEADS = r"fc\.|classifier\.|decode_head\.|swin\.layernorm\.|swin\.pooler\."

# The normalisations of a backbone's maps are new; positions are computed.
_NEW = r"hidden_states_norms\.|.*relative_position_index$"


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


def fill_resnet(body: nn.Module, depth: int, weights: str) -> None:
    """Fill torchvision's ResNet without classifier.

    Args:
        body: of a detector's backbone.
        depth: 50 or 101.
        weights: `PRETRAINED`, or a file of torchvision's state dict.

    Raises:
        ValueError, FileNotFoundError: a failed download, a file that cannot be read, or weights of
            another network.
    """
    if weights == PRETRAINED:
        from torchvision.models import get_weight

        name = f"ResNet{depth}_Weights.IMAGENET1K_V1"
        with _download(name):
            found: Mapping[str, Tensor] = get_weight(name).get_state_dict(
                progress=False, check_hash=True
            )
    else:
        found = read_weights(weights)
    fill(body, found, weights, unused=_HEADS)


def fill_transformer(body: Any, name: str, weights: str) -> None:
    """Fill a backbone of transformers with weights named by any of its versions.

    Args:
        body: `SegformerModel` or `SwinBackbone`.
        name: one of `REPOSITORIES`.
        weights: `PRETRAINED`, or a file of transformers' state dict.

    Raises:
        ValueError, FileNotFoundError: as `fill_resnet`.
    """
    with _silent():
        try:
            made, report = type(body).from_pretrained(
                None,
                config=body.config,
                state_dict=_transformer_weights(name, weights),
                output_loading_info=True,
            )
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ValueError(f"weights {weights} do not fit the model: {reason}") from error
    missing, unexpected = report["missing_keys"], report["unexpected_keys"]
    check_names(missing, unexpected, weights, unused=_HEADS, new=_NEW)
    body.load_state_dict(made.state_dict())


def fill_maskformer(encoder: nn.Module, name: str, weights: str) -> None:
    """Fill the Swin of a MaskFormer, which has the names of the files.

    Args:
        encoder: `MaskFormerSwinBackbone`.
        name: one of `REPOSITORIES`.
        weights: `PRETRAINED`, or a file of transformers' state dict of a Swin.

    Raises:
        ValueError, FileNotFoundError: as `fill_resnet`.
    """
    found = _transformer_weights(name, weights)
    unused = _HEADS.replace("swin", "model")
    renamed = {f"model.{key.removeprefix('swin.')}": value for key, value in found.items()}
    fill(encoder, renamed, weights, unused=rf"{unused}|model\.({unused})", new=_NEW)


def _transformer_weights(name: str, weights: str) -> dict[str, Tensor]:
    if weights != PRETRAINED:
        return read_weights(weights)
    from transformers.utils.hub import cached_file

    repository = REPOSITORIES[name]
    with _download(repository):
        try:
            path = cached_file(repository, "model.safetensors")
        except OSError:  # older uploads have the other format alone
            path = cached_file(repository, "pytorch_model.bin")
    assert path is not None
    return read_weights(path)


@contextmanager
def _download(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"`weights` (={PRETRAINED!r}): {what} cannot be downloaded: {one_line(error)}"
        ) from error


@contextmanager
def _silent() -> Iterator[None]:
    """Silence transformers' progress bars and its report of names, which are checked here."""
    from transformers.utils import logging as _logging

    logging: Any = _logging  # its functions are not annotated
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(f"weights file {path} cannot be read: {one_line(error)}")
