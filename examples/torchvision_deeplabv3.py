"""DySample for the logits of torchvision's DeepLabV3, the only step that it has."""

import torch
from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

import dysample

# Yours: weights="DEFAULT".
model = deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=8)
images = torch.rand(2, 3, 64, 96)

# Logits are left alone unless they are asked for.
model, report = dysample.replace_upsamplers(model, "dysample", example_inputs=images, where=":0")
print(report)
assert report.unchanged

labels = torch.randint(8, (2, 64, 96))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
loss = torch.nn.functional.cross_entropy(model.train()(images)["out"], labels)
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
