from __future__ import annotations

import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dysample import Bilinear, DySample
from dysample.surgery import Site, find_sites
from dysample.surgery.report import site_table


class Everything(nn.Module):
    """One resize of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.table = nn.Parameter(torch.zeros(1, 8, 4, 4))
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.deconv = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.ours = Bilinear(8)
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, images: Tensor) -> Tensor:
        x = F.interpolate(images, scale_factor=2)  # 0: an image
        x = self.stem(x)
        x = x + F.interpolate(self.table, size=x.shape[-2:], mode="bicubic")  # 1: a table
        x = x + F.interpolate(self.norm(self.pool(x)), size=x.shape[-2:])  # 2: pooled
        x = x + F.interpolate(x.mean((2, 3), keepdim=True), size=x.shape[-2:])  # 3: one pixel
        x = F.interpolate(x, scale_factor=0.5)  # 4: smaller
        x = F.interpolate(x, size=x.shape[-2:])  # 5: the same
        x = self.norm(self.up(x)).relu()
        x = self.ours(self.deconv(x))
        x = F.interpolate(x, size=x.shape[-1] + 5)  # 6: features
        return F.interpolate(self.head(x), size=images.shape[-2:]) > 0  # 7: logits


WHY = {
    ":0": "an image: no learned layer before it",
    ":1": "a learned table, not features",
    ":2": "pooled to a fixed grid: its scale follows the image's size",
    ":3": "one pixel: nothing to sample",
    ":4": "makes the map smaller",
    ":5": "keeps the size",
    "up": None,
    "deconv": "learned already",
    "ours:0": "part of an upsampler",
    ":6": None,
    ":7": "makes the map smaller",
}


class Keeps(Everything):
    """Keeps what it has computed, as detectors keep their anchors."""

    def forward(self, images: Tensor) -> Tensor:
        self.norm.kept = self.stem(images)
        self.runs = getattr(self, "runs", 0) + 1
        return super().forward(images)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_stays_as_it_was_to_the_byte(training: bool) -> None:
    model = Keeps().train(training)
    model.norm.register_buffer("cache", torch.zeros(1, 8, 1, 1))
    before = pickle.dumps(model)
    images = torch.rand(1, 3, 8, 8)
    find_sites(model, images)
    assert pickle.dumps(model) == before
    assert vars(images) == {}
    assert b"dysample.surgery" not in before


class Fits(nn.Module):
    def __init__(self, **options: object) -> None:
        super().__init__()
        self.stem, self.head, self.options = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1), options

    def forward(self, images: Tensor) -> Tensor:
        return self.head(F.interpolate(self.stem(images), **self.options))


@pytest.mark.parametrize(
    ("size", "options", "fits"),
    [
        ((2, 3), {"size": (2, 4)}, True),
        ((12, 13), {"size": (13, 13)}, True),
        ((5, 10), {"size": (7, 12)}, True),
        ((20, 20), {"scale_factor": (1.0, 1.1)}, True),
        ((20, 20), {"scale_factor": (1.0, 1.2)}, False),
        ((2, 3), {"size": (3, 5)}, False),  # a doubling that was cropped
        ((2, 3), {"size": (2, 6)}, False),  # along one axis alone
        ((20, 20), {"size": (25, 25)}, False),
        ((2, 3), {"scale_factor": 1.5}, False),
    ],
)
def test_resizes_that_only_fit_sizes(size, options: dict[str, object], fits: bool) -> None:
    (site,) = find_sites(Fits(**options), torch.rand(1, 3, *size))
    why = "fits sizes: grows by two pixels at most" if fits else None
    assert site.why_not_features == why


def test_pixel_shuffles_are_named() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.PixelShuffle(2), DySample(2, groups=1))
    (site,) = find_sites(model, torch.rand(1, 3, 4, 4))
    assert (site.name, site.kind, site.why_not_features) == ("1", "shuffle", "learned already")
    assert site.why_not_replaceable == "its channels are sub-pixels: a layer before it makes them"


def by_name(model: nn.Module, example: object) -> dict[str, Site]:
    return {site.name: site for site in find_sites(model, example)}


def test_each_resize_is_told_apart() -> None:
    sites = by_name(Everything(), torch.rand(1, 3, 10, 10))
    assert {name: site.why_not_features for name, site in sites.items()} == WHY


def test_what_a_site_says() -> None:
    sites = by_name(Everything(), torch.rand(2, 3, 10, 12))
    up = sites["up"]
    assert (up.owner, up.call, up.kind, up.host) == ("up", None, "module", "torch.Upsample")
    assert (up.channels, up.from_size, up.to_size) == (8, (10, 12), (20, 24))
    assert (up.mode, up.regular, up.scale_factor, up.runs) == ("bilinear", True, 2, 1)
    last = sites[":6"]
    assert (last.owner, last.call, last.kind) == ("", 6, "call")
    assert last.to_size == (101, 101)
    assert last.scale_factor == 1  # 80 -> 101 and 96 -> 101: the nearest whole number


def test_logits_are_resized_after_the_last_layer() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.layer(x.movedim(1, -1)).movedim(-1, 1)
            return self.norm(F.interpolate(x, scale_factor=2)).sigmoid()

    (site,) = find_sites(Head(), torch.rand(1, 3, 4, 4))
    assert site.why_not_features == "logits or masks: no learned layer after it"


def test_the_model_is_left_as_it_was() -> None:
    model = Everything().train()
    model.norm.eval()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    find_sites(model, torch.rand(1, 3, 10, 10))
    assert model.training
    assert not model.norm.training
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_corners_and_rounded_sizes_are_not_regular() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1),
        nn.Upsample(scale_factor=1.5, mode="bilinear"),
        nn.Conv2d(4, 4, 1),
        nn.UpsamplingBilinear2d(scale_factor=2),
        nn.Conv2d(4, 4, 1),
        nn.Upsample(size=(40, 44)),
        nn.Conv2d(4, 4, 1),
    )
    sites = by_name(model, torch.rand(1, 3, 5, 6))
    assert [(s.mode, s.regular, s.kind) for s in sites.values()] == [
        ("bilinear", False, "module"),  # 7.5 rows became 7
        ("bilinear, corners", False, "module"),
        ("nearest", True, "call"),  # of the module itself: its size stays when it is replaced
    ]
    assert list(sites) == ["1", "3", "5:0"]


class Twice(nn.Module):
    """One module for two steps, on other channels, and a block that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2)
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 6, 1)
        self.block = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(6, 6, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.up(self.first(x)))
        x = self.block(self.block(self.up(x)))
        return x


def test_a_module_for_several_steps_counts_as_calls_of_its_owner() -> None:
    sites = by_name(Twice(), torch.rand(1, 3, 2, 2))
    assert {name: (site.channels, site.runs) for name, site in sites.items()} == {
        ":0": (4, 1),
        ":1": (6, 1),
        "block.0": (6, 2),
    }


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")
def test_features_are_followed_through_hidden_operations() -> None:
    # No function mode sees what happens in TorchScript.
    def hidden() -> nn.Module:
        return torch.jit.trace(nn.ReLU(), torch.rand(1, 4, 2, 2))

    model = nn.Sequential(nn.Conv2d(3, 4, 1), hidden(), nn.Upsample(scale_factor=2), hidden())
    (site,) = find_sites(nn.Sequential(model, nn.Conv2d(4, 4, 1)), torch.rand(1, 3, 2, 2))
    assert site.why_not_features is None


class Pasting(nn.Module):
    """Writes features into a map of zeros, and an image beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        features, images = torch.zeros(2, *x.shape)
        features[:] = self.conv(x)
        images[:] = x
        features, images = (F.interpolate(y, scale_factor=2) for y in (features, images))
        return self.conv(features) + self.conv(images)


def test_features_are_followed_into_the_maps_that_they_are_written_to() -> None:
    sites = by_name(Pasting(), torch.rand(1, 3, 4, 4))
    assert sites[":0"].why_not_features is None
    assert sites[":1"].why_not_features == "an image: no learned layer before it"


@pytest.mark.parametrize("example", [(torch.rand(1, 3, 2, 2),), {"input": torch.rand(1, 3, 2, 2)}])
def test_positional_and_keyword_inputs(example: object) -> None:
    assert len(find_sites(nn.Sequential(nn.Upsample(scale_factor=2)), example)) == 1


def test_not_a_model() -> None:
    with pytest.raises(TypeError, match=r"`model` \(=int\) must be a torch.nn.Module"):
        find_sites(3, torch.rand(1, 3, 2, 2))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_compiled_and_scripted_models() -> None:
    with pytest.raises(ValueError, match="must not be compiled"):
        find_sites(torch.compile(nn.Upsample(scale_factor=2)), torch.rand(1, 3, 2, 2))
    with pytest.raises(ValueError, match="must not be scripted"):
        find_sites(torch.jit.script(nn.Upsample(scale_factor=2)), torch.rand(1, 3, 2, 2))


def test_table() -> None:
    lines = site_table(find_sites(Everything(), torch.rand(1, 3, 10, 10))).splitlines()
    assert lines[0].split() == ["site", "channels", "from", "to", "mode", "runs"]
    assert set(lines[1]) == {"-"}
    # Each verdict with its class, above the sites that it is about.
    up = next(n for n, line in enumerate(lines) if line.startswith("  up "))
    assert lines[up - 1] == "upsamples features (torch.Upsample)"
    assert lines[up].split() == ["up", "8", "10x10", "20x20", "bilinear", "1"]
    assert sum(line.startswith("  ") for line in lines) == 1 + len(WHY)
    assert site_table([]) == "no step of this model resizes a map"


def test_table_says_the_same_verdict_once() -> None:
    up, conv = nn.Upsample(scale_factor=2), nn.Conv2d(3, 3, 1)
    model = nn.Sequential(conv, up, conv, nn.Upsample(scale_factor=2), conv)
    lines = site_table(find_sites(model, torch.rand(1, 3, 4, 4))).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["upsamples", "1", "3"]
    assert lines[3].index("nearest") == lines[4].index("nearest")


@pytest.mark.parametrize("length", [3, 30, 60])
def test_table_fits_in_a_terminal(length: int) -> None:
    model = nn.Sequential()
    model.add_module("n" * length, nn.Upsample(scale_factor=2, mode="bilinear"))
    (site,) = find_sites(model, torch.rand(1, 3, 100, 100))
    text = site_table(
        [site, site], ["refused: " + "another step of its recipe is refused " * 3] * 2
    )
    assert max(map(len, text.splitlines())) <= 80
    assert text.split().count("n" * length) == 2
    assert text.split().count("refused:") == 1
