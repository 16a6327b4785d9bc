"""DySample in a model made of rows of modules, as in the YOLO family."""

import torch
from torch import Tensor, nn

import dysample


def conv(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(c_out), nn.SiLU())


class Rows(nn.Module):
    """Each row reads the row before, or that and an earlier one, and carries its numbers itself."""

    def __init__(self) -> None:
        super().__init__()
        rows = [
            (-1, conv(3, 16, 2)),
            (-1, conv(16, 32, 2)),
            (-1, conv(32, 64, 2)),
            (-1, nn.Upsample(None, 2, "nearest")),
            ([-1, 1], conv(96, 32)),
            (-1, nn.Upsample(None, 2, "nearest")),
            ([-1, 0], conv(48, 16)),
            (-1, nn.Conv2d(16, 9, 1)),
        ]
        for number, (reads, layer) in enumerate(rows):
            # As ultralytics does: index, rows that it reads, name and size.
            layer.i, layer.f, layer.type = number, reads, type(layer).__name__
            layer.np = sum(parameter.numel() for parameter in layer.parameters())
        self.model = nn.Sequential(*(layer for _, layer in rows))

    def forward(self, x: Tensor) -> Tensor:
        outputs: list[Tensor] = []
        for layer in self.model:
            reads = [layer.f] if isinstance(layer.f, int) else layer.f
            given = [outputs[row] for row in reads] if layer.i else [x]
            outputs.append(layer(torch.cat(given, dim=1)))
        return outputs[-1]


images = torch.rand(2, 3, 64, 96)
model = Rows().eval()
new, report = dysample.replace_upsamplers(model, "dysample", example_inputs=images, start="nearest")
print(report)
assert [site.name for site in report.replaced] == ["model.3", "model.5"]
assert [row.i for row in new.model] == list(range(8))
assert torch.allclose(new(images), model(images), atol=1e-5)  # until it is trained

optimizer = torch.optim.SGD(new.parameters(), lr=1e-3)
loss = new.train()(images).square().mean()
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
