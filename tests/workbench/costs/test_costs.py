"""Costs: by formula, as counted, in memory, and as published."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dysample.nn import Bilinear, PixelShuffle
from dysample.registry import create_upsampler, get_entry, list_upsamplers
from dysample.workbench.costs.count import (
    FLOP_FORMULAS,
    count_macs,
    count_parameters,
    measure_cost,
    measure_costs,
    peak_memory,
    trace_macs,
)
from dysample.workbench.costs.published import (
    FLOPS,
    NOTES,
    PARAMETERS,
    SOURCES,
    compare_published,
    increment,
    models,
)

PUBLISHED = list(compare_published())


@pytest.mark.parametrize("name", list_upsamplers())
def test_counting_sees_what_the_formula_says(name: str) -> None:
    cost = measure_cost(name, 64, 12, 20)
    # FADE's formula multiplies the reassembled features by 1 - gate, 64 products an output pixel;
    # the module multiplies their 25 weights by it instead.
    saved = (64 - 25) * 24 * 40 if name in ("fade", "fade_lite") else 0
    # Products that no formula holds: kernels from two vectors (A2U), a scope times its offsets.
    assert cost.macs - saved <= cost.counted_macs <= 1.03 * cost.macs
    assert cost.output_bytes == 4 * 64 * 24 * 40
    assert cost.peak_bytes >= cost.output_bytes
    assert cost.guided == get_entry(name).guided
    assert cost.parameters == count_parameters(create_upsampler(name, 64))


def test_counting_a_fractional_scale_and_a_guide_of_other_channels() -> None:
    cost = measure_cost("sapa_b", 64, 9, 11, 1.5, guide_channels=32)
    assert cost.output_bytes == 4 * 64 * 13 * 16
    assert cost.counted_macs > 0


def test_torch_s_counter_takes_the_formulas() -> None:
    x, guide = torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 5)
    grid = torch.zeros(2, 6, 7, 2)
    with FlopCounterMode(display=False, custom_mapping=FLOP_FORMULAS) as counter:
        nn.functional.grid_sample(x, grid, align_corners=False)
        nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
        torch.addcmul(x, x, guide)
        x.clone().addcmul_(x, guide)
        torch.lerp(x, guide, guide[:, :1])
        torch.mul(x, guide, out=torch.empty_like(x))
        x.clone().mul_(guide[:, :1])
        x * 0.5
        x.exp().sum()
    elements = x.numel()
    samples = 2 * 3 * 6 * 7 + 4 * elements
    assert counter.get_total_flops() == 2 * (4 * samples + (1 + 1 + 2 + 1 + 1) * elements)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.up = PixelShuffle(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # The same upsampler twice, with its input by keyword once.
        return self.up(self.up(x=self.norm(self.stem(x))), size=(20, 24))


@pytest.mark.parametrize("name", ["bilinear", *list_upsamplers(guided=True)])
def test_the_size_of_the_output_counts_and_not_the_scale_factor(name: str) -> None:
    x, guide = torch.randn(2, 32, 4, 6), torch.randn(2, 32, 8, 12)
    for scale in (2, 3):
        up = create_upsampler(name, 32, scale)
        assert count_macs(up, x, guide).upsamplers == 2 * up.macs(4, 6, (8, 12))
        if name != "sapa_d":  # which has scale^2 points an output pixel
            assert up.macs(4, 6, (8, 12)) == create_upsampler(name, 32).macs(4, 6)


def test_a_size_given_by_the_call_counts() -> None:
    up = create_upsampler("carafe", 32)
    counted = count_macs(up, torch.randn(1, 32, 4, 6), torch.randn(1, 3, 9, 5)).upsamplers
    assert counted - up.macs(4, 6) == 25 * 32 * (9 * 5 - 8 * 12)


def test_count_macs_of_any_model() -> None:
    net = Net()
    running = net.norm.running_mean.clone()
    macs = count_macs(net, torch.randn(2, 3, 5, 6))
    own = 2 * (net.up.macs(5, 6) + net.up.macs(10, 12))
    assert macs.upsamplers == own
    assert macs.total == own + 2 * 27 * 8 * 5 * 6
    assert trace_macs(net, torch.randn(2, 3, 5, 6)) == macs.total
    assert net.training
    assert net.norm.training
    assert torch.equal(net.norm.running_mean, running)
    assert not net.up._forward_hooks
    assert not net.up._forward_pre_hooks


def test_an_upsampler_inside_an_upsampler_is_counted_once() -> None:
    class Twice(Bilinear):
        def __init__(self) -> None:
            super().__init__(4)
            self.inner = Bilinear(4)

        def upsample(self, x, guide, size):
            return self.inner(x, size=size)

    assert count_macs(Twice(), torch.zeros(1, 4, 3, 3)).upsamplers == 4 * 4 * 36


def test_counting_leaves_parts_in_evaluation_as_they_are() -> None:
    net = Net()
    net.norm.eval()
    trace_macs(net, torch.zeros(1, 3, 4, 4))
    assert net.training
    assert not net.norm.training


class Held(nn.Module):
    """Holds 3 maps at a time, and leaves 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = x + 1
        second = first + 1
        third = first + second
        del first, second
        return third


def test_peak_memory() -> None:
    x = torch.zeros(1000)
    assert peak_memory(Held(), x) == pytest.approx(3 * 4000, abs=3 * 64)
    assert peak_memory(nn.Identity(), x) == 0


def test_names_that_cannot_be_built_say_why() -> None:
    costs, refused = measure_costs(["nearest", "sapa_i", "fade"], 8, 4, 4, 2, 16)
    assert [cost.name for cost in costs] == ["nearest"]
    assert "`guide_channels` (=16) must equal in_channels (=8)" in refused["sapa_i"]
    assert set(refused) == {"sapa_i", "fade"}


# GMACs as worked out by hand from the definitions, at the places of each model.
@pytest.mark.parametrize(
    ("name", "segformer", "maskformer", "mask2former"),
    [
        ("carafe", "1.453", "0.837", "0.637"),
        ("indexnet", "30.646", "17.642", "13.441"),
        ("a2u", "0.407", "0.234", "0.179"),
        ("fade", "2.653", "1.527", None),
        ("fade_lite", "0.891", "0.513", None),
        ("sapa_i", "0.747", "0.430", "0.328"),
        ("sapa_b", "1.018", "0.586", "0.446"),
        ("pixel_shuffle", "34.43", "19.8", None),
        ("dysample", "0.179", "0.103", None),
        ("dysample_plus", "0.299", "0.172", None),
        ("dysample_s", "0.120", "0.069", None),
        ("dysample_s_plus", "0.179", "0.103", None),
    ],
)
def test_macs_at_the_places_of_the_models(name, segformer, maskformer, mask2former) -> None:
    for model, expected in zip(models(), (segformer, maskformer, mask2former)):
        if expected is not None:
            decimals = len(expected.partition(".")[2])
            ours = increment(model, name, FLOPS)
            assert f"{float(ours) / 1e9:.{decimals}f}" == expected


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda r: f"{r.model.title} {r.name} {r.printed}")
def test_published_rows_agree_or_say_why_not(row) -> None:
    assert row.agrees == (not row.note)
    assert not row.note or row.note in NOTES
    assert set(row.source.split()) <= set(SOURCES)
    assert (row.ours is None) == (row.name == "freqfusion")
    assert (row.source == "") == (row.published is None)


def test_published_rows_cover_every_name_and_note() -> None:
    steps = {f"dysample_step_{number}" for number in range(5)}
    names = {row.name for row in PUBLISHED}
    assert names == {*list_upsamplers(), "freqfusion"} - steps - {"nearest", "bilinear"}
    assert {row.note for row in PUBLISHED} - {""} == set(NOTES)
    assert {source for row in PUBLISHED for source in row.source.split()} == set(SOURCES)


def test_agreement_is_to_the_printed_digits() -> None:
    (row,) = (r for r in PUBLISHED if (r.name, r.quantity, r.printed) == ("a2u", FLOPS, "0.18 G"))
    assert row.decimals == 2
    assert float(row.ours) == pytest.approx(0.17859, abs=1e-5)
    assert row.agrees
    assert row.difference == pytest.approx(0.17859 / 0.18 - 1, abs=1e-4)
    for ours, agrees in (("0.175", True), ("0.1749", False), ("0.1851", False)):
        assert type(row)(**{**vars(row), "ours": Fraction(ours)}).agrees is agrees


def test_a_printed_zero_is_zero_and_not_nearly_so() -> None:
    row = next(r for r in PUBLISHED if r.name == "sapa_i" and r.quantity == PARAMETERS)
    assert row.agrees
    assert row.difference is None
    assert not type(row)(**{**vars(row), "ours": Fraction(1, 10**6)}).agrees


@pytest.mark.parametrize("columns", ["80", "120"])
def test_table_over_all_names(columns: str, monkeypatch, dysample) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    code, out, _ = dysample("cost", "--in-channels", "32", "--height", "6", "--width", "8")
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert lines[0] == "32 channels, 6x8, scale factor 2"
    rows = [line.split() for line in lines[4:]]
    assert [row[0] for row in rows] == list_upsamplers()
    assert {len(row) for row in rows} == {8}
    (carafe,) = (row for row in rows if row[0] == "carafe")
    macs = create_upsampler("carafe", 32).macs(6, 8)
    assert carafe[1:5] == ["no", "59,812", f"{macs / 1e6:.3f}", f"{macs / 1e6:.3f}"]


def test_one_name_and_its_guide(dysample) -> None:
    size = ("--in-channels", "32", "--height", "6", "--width", "8", "--scale-factor", "1.5")
    code, out, _ = dysample("cost", "sapa_b", *size, "--guide-channels", "64")
    assert code == 0
    assert len(out.splitlines()) == 5
    assert "sapa_b" in out


def test_reasons_stand_below_the_table(dysample) -> None:
    code, out, _ = dysample("cost", "--in-channels", "9", "--height", "4", "--width", "4")
    assert code == 0
    assert re.search(r"^carafe ", out, re.MULTILINE)
    assert re.search(r"^- a2u: `guide_channels` \(=9\) must be a multiple of 32", out, re.MULTILINE)
    assert re.search(r"^- dysample: `groups` \(=4\) must divide", out, re.MULTILINE)


@pytest.mark.parametrize("columns", ["80", "120"])
def test_published_table(columns: str, monkeypatch, dysample) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    code, out, _ = dysample("cost", "--published")
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= int(columns)
    rows = [line for line in lines if re.search(r" (params|GFLOPs) ", line[:30])]
    assert len(rows) == len(PUBLISHED)
    for line, row in zip(rows, PUBLISHED):
        assert line.startswith(row.name)
        assert re.search(r" (yes|no|-) ", line)
        if row.published is not None:
            assert f" {row.printed} " in line
        assert bool(re.search(r" \d+$", line)) == bool(row.note)
    for number, note in enumerate(NOTES.values(), start=1):
        assert f"\n{number:>2} {note.split()[0]} " in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dysampel"], "`name` (='dysampel') must be a known upsampler: did you mean dysample"),
        (["carafe", "--guide-channels", "8"], "--guide-channels: carafe reads no guide"),
        (["a2u", "--in-channels", "8"], "`guide_channels` (=8) must be a multiple of 32"),
        (["--scale-factor", "0.001"], "`scale_factor` (=0.001) must leave at least one pixel"),
        (["--height", "0"], "Invalid value for '--height'"),
        (["carafe", "--published"], "--published compares at the papers' sizes: leave name out"),
        (["--published", "--width", "9"], "leave width out"),
    ],
)
def test_mistakes_are_one_line(arguments, message, dysample) -> None:
    dysample("cost", *arguments).check_mistake(message)
