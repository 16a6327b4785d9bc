"""DySample in torchvision's segmentation models: between layers, and for the logits."""

import torch
from torchvision.models.segmentation import (
    deeplabv3_mobilenet_v3_large,
    lraspp_mobilenet_v3_large,
)

import dysample

images = torch.rand(2, 3, 64, 96)
none = {"weights": None, "weights_backbone": None, "num_classes": 8}

model, report = dysample.replace_upsamplers(
    lraspp_mobilenet_v3_large(**none), "dysample", example_inputs=images
)
print(report)
assert [site.name for site in report.replaced] == ["classifier:0"]

# DeepLabV3 only resizes its logits; they are left alone unless asked for.
model, report = dysample.replace_upsamplers(
    deeplabv3_mobilenet_v3_large(**none), "dysample", example_inputs=images, where=":0"
)
print(report)

labels = torch.randint(8, (2, 64, 96))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
loss = torch.nn.functional.cross_entropy(model.train()(images)["out"], labels)
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
