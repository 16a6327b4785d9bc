"""Draw what each upsampler samples or weighs for three output pixels at boundaries.

`make pictures` runs it; with names as arguments it draws those alone. Each upsampler is trained
for a moment on the same task: from blurred maps of the classes at half the resolution, and
features of the image as the guide, restore the label map. Same scene, same pixels, same layout.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from texts import PAGES
from torch import Tensor, nn

from dysample import Upsampler, create_upsampler
from dysample.workbench.data.scenes import CLASSES, render_frame
from dysample.workbench.drawing.class_maps import label_edges
from dysample.workbench.drawing.palette import class_colour
from dysample.workbench.look import reading
from dysample.workbench.look.marks import draw_reading
from dysample.workbench.look.reading import Reading

IMAGES = Path(__file__).parent / "images"
CHANNELS, SIDE, SCALE = 32, 64, 2
FRAMES, BATCH, CROP, STEPS = 48, 4, 32, 200
RATE, SLOW_RATE = 5e-3, 5e-4
"""Slow where kernels start far from uniform: faster, they settle on copying a single pixel."""
SHOWN = (3, 4)
"""Seed and index of the frame that is shown; those of seed 0 are trained on."""
PIXELS = ((33, 26), (33, 27), (28, 23))
"""Row and column of three output pixels: two on either side of a boundary within one low-res
pixel, one on a pole as wide as itself."""
BLUR = 6
"""Side of the square of output pixels that a low-res pixel is the mean of."""
OPTIONS: dict[str, dict[str, Any]] = {
    "gated": {
        "gating": False
    },  # else the guide comes through the gate, and the kernel learns little
}
"""Of the upsampler, by `Page.reads`."""


@dataclass(frozen=True)
class Scene:
    """A batch of frames: the task's input, guide image, target, and the images themselves."""

    mixture: Tensor
    """Share of each class in a low-res pixel's surroundings, (B, classes, H, W)."""
    colours: Tensor
    """RGB in -1..1, (B, 3, 2H, 2W)."""
    labels: Tensor
    """(B, 2H, 2W)."""


class Task(nn.Module):
    """Class mixtures -> features -> upsampler -> class scores; the guide comes from the image."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        basis = torch.linalg.qr(torch.randn(CHANNELS, CHANNELS))[0]
        self.basis: Tensor
        self.rest: Tensor
        self.register_buffer("basis", basis[:, : len(CLASSES)])
        self.register_buffer("rest", basis[:, len(CLASSES) :])
        self.context = nn.Conv2d(len(CLASSES), CHANNELS - len(CLASSES), 3, padding=1)
        self.guide = nn.Sequential(
            nn.Conv2d(3, CHANNELS, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
        )
        self.up: Upsampler = create_upsampler(name, CHANNELS, SCALE, **options)

    def features(self, mixture: Tensor) -> Tensor:
        """(B, C, H, W): the classes in some directions, what lies around in those left."""
        known = F.conv2d(mixture, 4 * self.basis[:, :, None, None])
        return known + F.conv2d(self.context(mixture), self.rest[:, :, None, None])

    def forward(self, scene: Scene) -> Tensor:
        """Logits of the classes."""
        guide = self.guide(scene.colours) if self.up.guided else None
        out = self.up(self.features(scene.mixture), guide)
        return F.conv2d(out, 2 * self.basis.T[:, :, None, None])


def main() -> None:
    """Draw the pictures named on the command line, or all."""
    torch.set_num_threads(1)  # the maps are too small to share
    names = sys.argv[1:] or [page.name for page in PAGES]
    train, shown = load(0, range(FRAMES)), load(SHOWN[0], [SHOWN[1]])
    IMAGES.mkdir(exist_ok=True)
    for page in PAGES:
        if page.name in names:
            task = Task(page.name, OPTIONS.get(page.reads, {}))
            fit(task, train, SLOW_RATE if page.reads == "gated" else RATE)
            title = page.title.split(",")[0]
            draw(IMAGES / f"{page.name}.png", title, shown, read(task, shown))


def load(seed: int, indices: Any) -> Scene:
    """Render frames."""
    frames = [render_frame(seed, index, SIDE) for index in indices]
    labels = torch.from_numpy(np.stack([f.semantic for f in frames])).long()
    colours = torch.from_numpy(np.stack([f.image for f in frames])).permute(0, 3, 1, 2)
    one_hot = F.one_hot(labels, len(CLASSES)).permute(0, 3, 1, 2).float()
    rim = (BLUR - SCALE) // 2
    padded = F.pad(one_hot, (rim, rim, rim, rim), mode="replicate")
    mixture = F.avg_pool2d(padded, BLUR, SCALE)
    return Scene(mixture, colours.float() / 127.5 - 1, labels)


def fit(task: Task, scene: Scene, rate: float) -> None:
    """Train where there is something to train."""
    parameters = list(task.parameters())
    if not list(task.up.parameters()) and not task.up.guided:
        task.eval()
        return
    optimiser = torch.optim.Adam(parameters, rate)
    order = torch.Generator().manual_seed(0)
    for step in range(STEPS):
        batch = crop(scene, order)
        for group in optimiser.param_groups:
            group["lr"] = rate * (1 - step / STEPS)
        optimiser.zero_grad()
        losses = F.cross_entropy(task(batch), batch.labels, reduction="none")
        losses[boundary(batch)].mean().backward()
        optimiser.step()
    task.eval()


def crop(scene: Scene, order: torch.Generator) -> Scene:
    """The same random window of some random frames."""
    chosen = torch.randint(FRAMES, (BATCH,), generator=order)
    y, x = (SCALE * torch.randint((SIDE - CROP) // SCALE + 1, (2,), generator=order)).tolist()
    high = (chosen, ..., slice(y, y + CROP), slice(x, x + CROP))
    low = (chosen, ..., *(slice(part.start // SCALE, part.stop // SCALE) for part in high[2:]))
    return Scene(scene.mixture[low], scene.colours[high], scene.labels[high])


def boundary(scene: Scene) -> Tensor:
    """Output pixels (B, 2H, 2W) of low-res pixels that hold several classes. Elsewhere every
    reading is as good, and the loss there keeps some kernels at the copy of a single pixel.
    """
    mixed = scene.mixture.amax(1) < 0.8
    return mixed.repeat_interleave(SCALE, 1).repeat_interleave(SCALE, 2)


def read(task: Task, scene: Scene) -> list[Reading]:
    """What the upsampler reads for each of `PIXELS`."""
    if not any(hasattr(task.up, known) for known in ("attention", "positions", "kernels")):
        return [_jacobian(task, scene, pixel) for pixel in PIXELS]
    with torch.no_grad():
        x = task.features(scene.mixture)
        guide = task.guide(scene.colours) if task.up.guided else None
    size = (SCALE * x.shape[2], SCALE * x.shape[3])
    return [reading.read(task.up, x, guide, size, pixel) for pixel in PIXELS]


def _jacobian(task: Task, scene: Scene, pixel: tuple[int, int]) -> Reading:
    """The share of each class that comes through unmixed, mean over the classes."""
    row, column = pixel
    x = task.features(scene.mixture).detach().requires_grad_()
    out = task.up(x)[0, :, row, column]
    shares = torch.zeros(x.shape[2:])
    for direction in task.basis.T:
        (gradient,) = torch.autograd.grad(out @ direction, x, retain_graph=True)
        shares += torch.einsum("c,chw->hw", direction, gradient[0]) / len(CLASSES)
    h, w = np.nonzero(shares.abs().numpy() > 1e-6)
    return Reading(np.stack([w, h], axis=1).astype(np.float64), shares.double().numpy()[h, w])


def draw(path: Path, title: str, scene: Scene, readings: list[Reading]) -> None:
    """One row: the image with the three pixels, then what each of them reads."""
    figure = Figure(figsize=(9, 2.72), dpi=100)
    FigureCanvasAgg(figure)
    labels = scene.labels[0].numpy().astype(np.uint8)
    edges = label_edges(labels)
    picture = ((scene.colours[0].permute(1, 2, 0).numpy() + 1) / 2).clip(0, 1)
    palette = np.array([class_colour(k) for k in range(len(CLASSES))])
    low = [(np.asarray(edge) + 0.5) / SCALE - 0.5 for edge in edges]
    mixed = np.tensordot(scene.mixture[0].numpy(), palette, axes=(0, 0))
    for place in range(4):
        axes = figure.add_axes((0.006 + place * 0.2495, 0.012, 0.24, 0.8))
        axes.set_axis_off()
        if place == 0:
            _draw_image(axes, picture, edges)
            heading = title
        else:
            shown = readings[place - 1]
            axes.imshow(mixed, interpolation="nearest")
            draw_reading(axes, shown, labels.shape, mixed.shape[:2], PIXELS[place - 1], low)
            note = f": index {shown.weights[0]:.2f}" if title == "IndexNet" else ""
            heading = f"pixel {place}{note}"
        axes.set_title(heading, fontsize=11, pad=4)
    figure.savefig(path)


def _draw_image(axes: Axes, picture: np.ndarray, edges: list[np.ndarray]) -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.add_collection(LineCollection(edges, colors="k", linewidths=1))
    for number, (row, column) in enumerate(PIXELS, 1):
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fc="w", ec="k", lw=1.2))
        axes.text(column, row, str(number), ha="center", va="center", fontsize=8, fontweight="bold")
    rows, columns = zip(*PIXELS, strict=True)
    middle = (min(columns) + max(columns)) / 2, (min(rows) + max(rows)) / 2
    axes.set_xlim(middle[0] - 9, middle[0] + 9)
    axes.set_ylim(middle[1] + 9, middle[1] - 9)


if __name__ == "__main__":
    main()
