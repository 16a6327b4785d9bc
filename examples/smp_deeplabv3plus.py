"""CARAFE in the DeepLabV3+ of segmentation_models_pytorch."""

import segmentation_models_pytorch as smp
import torch

import dysample

# Yours: encoder_weights="imagenet".
model = smp.DeepLabV3Plus("resnet18", encoder_weights=None, classes=8)
images = torch.rand(2, 3, 64, 96)

# Four times in one step. CARAFE's kernels are random at first: the report says so.
model, report = dysample.replace_upsamplers(model, "carafe", example_inputs=images)
print(report)
assert [site.name for site in report.replaced] == ["decoder.up"]
assert not report.unchanged

labels = torch.randint(8, (2, 64, 96))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
loss = torch.nn.functional.cross_entropy(model.train()(images), labels)
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
