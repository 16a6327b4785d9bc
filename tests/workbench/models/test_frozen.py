"""Features of a frozen encoder are computed once an image, and are the same wherever they are."""

from __future__ import annotations

import pytest
import torch

from dysample.workbench.models import frozen
from dysample.workbench.models.encoder import Encoder
from dysample.workbench.models.frozen import FrozenEncoder


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "_FEATURES", frozen._Features())


@pytest.fixture
def seen() -> tuple[FrozenEncoder, list[int]]:
    """An encoder, and the batch sizes that it was called with."""
    inner, sizes = Encoder(), []
    inner.register_forward_hook(lambda module, args, out: sizes.append(len(args[0])))
    return FrozenEncoder(inner), sizes


def test_an_image_is_computed_once_in_any_batch(seen: tuple) -> None:
    encoder, sizes = seen
    images = torch.randn(4, 3, 16, 24)
    encoder.keep(True)
    maps = encoder(images)
    assert sizes == [1] * 4
    again = encoder(images[[2, 0, 0]])
    assert sizes == [1] * 4
    assert all(torch.equal(one[[2, 0, 0]], other) for one, other in zip(maps, again))
    encoder(images.flip(-1))  # mirrored, they are others
    assert sizes == [1] * 8
    layout = images.contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(a, b) for a, b in zip(encoder(layout), maps))
    assert sizes == [1] * 8


def test_they_are_the_encoders_in_eval_mode_and_rounded_if_they_are_kept(seen: tuple) -> None:
    encoder, _ = seen
    images = torch.randn(2, 3, 16, 24)
    exact = encoder.encoder(images)
    expected = [one.half().float() for one in exact]
    assert all(torch.equal(one, other) for one, other in zip(encoder(images), exact))
    encoder.train()
    state = {name: value.clone() for name, value in encoder.state_dict().items()}
    encoder.keep(True)
    for _ in range(2):
        for one, other in zip(encoder(images), expected):
            assert (one.dtype, one.requires_grad) == (torch.float32, False)
            assert torch.allclose(one, other, rtol=1e-3, atol=1e-5)
    assert all(torch.equal(value, state[name]) for name, value in encoder.state_dict().items())
    assert encoder.training
    assert not encoder.encoder.training
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


@pytest.mark.parametrize("kept", [False, True])
def test_autocast_changes_nothing(seen: tuple, kept: bool) -> None:
    encoder, _ = seen
    encoder.keep(kept)
    images = torch.randn(2, 3, 16, 24)
    with torch.autocast("cpu", torch.bfloat16):
        cast = encoder(images)
    for one, other in zip(encoder.encoder(images), cast):
        assert other.dtype == torch.float32
        assert torch.allclose(one.half().float(), other, rtol=1e-3, atol=1e-5)


def test_another_encoder_has_features_of_its_own(seen: tuple) -> None:
    encoder, sizes = seen
    images = torch.randn(1, 3, 16, 24)
    encoder.keep(True)
    first = encoder(images)
    twin = FrozenEncoder(Encoder())
    twin.encoder.load_state_dict(encoder.encoder.state_dict())
    twin.keep(True)
    assert all(torch.equal(a, b) for a, b in zip(twin(images), first))
    with torch.no_grad():
        encoder.encoder.stages[0][0].weight.mul_(2)
        encoder.encoder.stages[0][1].bias.add_(1)
    encoder.keep(True)
    other = encoder(images)
    assert sizes == [1, 1]
    assert not torch.equal(other[0], first[0])


def test_those_used_last_stay(seen: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, sizes = seen
    encoder.keep(True)
    a, b, c = torch.randn(3, 1, 3, 16, 24)
    one = sum(maps.half().nbytes for maps in encoder(a))
    monkeypatch.setattr(frozen, "ROOM", 2 * one)
    for image in (b, a, c):  # c takes the place of b
        encoder(image)
    assert len(sizes) == 3
    encoder(a)
    encoder(c)
    assert len(sizes) == 3
    encoder(b)
    assert len(sizes) == 4
