"""A guided upsampler in torchvision's LRASPP."""

import torch
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

import dysample

# Yours: weights="DEFAULT".
model = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=8)
images = torch.rand(2, 3, 64, 96)

# FADE-Lite reads the finer features; its gate would need as many channels there as in the map.
model, report = dysample.replace_upsamplers(model, "fade_lite", example_inputs=images, gating=False)
print(report)
assert [site.name for site in report.replaced] == ["classifier:0"]

labels = torch.randint(8, (2, 64, 96))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
loss = torch.nn.functional.cross_entropy(model.train()(images)["out"], labels)
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
