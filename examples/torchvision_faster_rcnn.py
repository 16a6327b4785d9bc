"""DySample in the feature pyramid of torchvision's Faster R-CNN."""

import torch
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

import dysample

# Yours: fasterrcnn_resnet50_fpn(weights="DEFAULT").
backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None)
model = FasterRCNN(backbone, num_classes=3, min_size=128, max_size=192)
images = [torch.rand(3, 128, 160)]

# The pyramid copies the nearest pixel. From there, DySample can start at the same numbers.
model, report = dysample.replace_upsamplers(
    model, "dysample", example_inputs=images, start="nearest"
)
print(report)
assert report.replaced

model.train()
targets = [{"boxes": torch.tensor([[10.0, 20.0, 90.0, 100.0]]), "labels": torch.tensor([1])}]
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
loss = sum(model(images, targets).values())
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
