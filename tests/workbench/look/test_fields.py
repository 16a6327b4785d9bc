from __future__ import annotations

import numpy as np
import pytest
import torch

from dysample import create_upsampler
from dysample.calls import Call, record_calls
from dysample.workbench.look.fields import fields_of
from dysample.workbench.look.reading import read


def call_of(name: str, size: tuple[int, int] = (8, 10), **options) -> Call:
    up = create_upsampler(name, 32, 2, **options).double().eval()
    with torch.no_grad():
        for parameter in up.parameters():
            parameter.copy_(0.2 * torch.randn_like(parameter))
    x, guide = torch.randn(1, 32, 4, 5).double(), torch.randn(1, 32, *size).double()
    calls, _ = record_calls(up, lambda: up(x, guide))
    return calls[0]


@pytest.mark.parametrize("size", [(8, 10), (7, 9)], ids=str)
@pytest.mark.parametrize(
    "name", ["dysample", "dysample_s_plus", "sapa_d", "carafe", "sapa_b", "a2u"]
)
def test_offsets_are_those_of_the_pixel_s_reading(name: str, size: tuple[int, int]) -> None:
    call = call_of(name, size)
    fields = [field for field in fields_of(call) if field.values.ndim == 3]
    row, column = 2, 3
    reading = read(call.upsampler, call.x, call.guide, call.size, (row, column))
    regular = (np.array([column, row]) + 0.5) * (5, 4) / np.array(size)[::-1] - 0.5
    group = np.zeros(len(reading.places)) if reading.group is None else reading.group
    for number, field in enumerate(fields):
        mine = group == number
        mean = np.average(reading.places[mine], axis=0, weights=reading.weights[mine])
        np.testing.assert_allclose(field.values[:, row, column], mean - regular, atol=1e-9)
        assert field.values.shape == (2, *size)


def test_names_tell_groups_apart_and_at_most_eight_are_shown() -> None:
    assert [field.title for field in fields_of(call_of("dysample", groups=2))] == [
        "offset, group 1", "offset, group 2",
    ]  # fmt: skip
    assert [field.title for field in fields_of(call_of("dysample", groups=1))] == ["offset"]
    assert len(fields_of(call_of("dysample", groups=16))) == 8


def test_gate_index_map_and_what_has_no_field() -> None:
    fade = fields_of(call_of("fade"))
    assert [field.title for field in fade] == [
        "centre of mass of the kernel", "neighbours that count", "gate: share of the guide",
    ]  # fmt: skip
    call = call_of("indexnet")
    (index,) = fields_of(call)
    maps = call.upsampler.index_maps(call.guide)[1]
    np.testing.assert_array_equal(index.values, maps[0, 0].detach().numpy())
    for name in ("nearest", "bilinear", "deconv", "pixel_shuffle"):
        assert fields_of(call_of(name)) == []
    assert len(fields_of(call_of("fade", gating=False))) == 2


def test_uniform_kernels_count_all_neighbours() -> None:
    call = call_of("carafe")
    torch.nn.init.zeros_(call.upsampler.content_encoder.weight)
    torch.nn.init.zeros_(call.upsampler.content_encoder.bias)
    count = fields_of(call)[1]
    np.testing.assert_allclose(count.values, 25)
    assert count.limits == (1, 25)
