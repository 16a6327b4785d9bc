"""DySample in a U-Net of your own on features of timm."""

import timm
import torch
from torch import Tensor, nn

import dysample


class UNet(nn.Module):
    """One `nn.Upsample` serves all steps: each gets an upsampler of its own all the same."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        # Yours: pretrained=True.
        self.encoder = timm.create_model("resnet18", pretrained=False, features_only=True)
        channels = self.encoder.feature_info.channels()
        self.up = nn.Upsample(scale_factor=2, mode="bilinear")
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(coarse + fine, fine, 3, padding=1), nn.ReLU())
            for coarse, fine in zip(channels[:0:-1], channels[-2::-1])
        )
        self.head = nn.Conv2d(channels[0], classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        *finer, x = self.encoder(images)
        for block, skip in zip(self.blocks, reversed(finer)):
            x = block(torch.cat([self.up(x), skip], dim=1))
        return self.up(self.head(x))


images = torch.rand(2, 3, 64, 96)
model = UNet(8).eval()
new, report = dysample.replace_upsamplers(model, "dysample", example_inputs=images)
print(report)
assert len(report.replaced) == 4
assert torch.allclose(new(images), model(images), atol=1e-5)  # until it is trained

labels = torch.randint(8, (2, 64, 96))
optimizer = torch.optim.AdamW(new.parameters(), lr=1e-4)
loss = nn.functional.cross_entropy(new.train()(images), labels)
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
