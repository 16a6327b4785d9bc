"""DySample in the UPerNet of segmentation_models_pytorch."""

import segmentation_models_pytorch as smp
import torch

import dysample

# Yours: encoder_weights="imagenet".
model = smp.UPerNet("resnet18", encoder_weights=None, classes=8).eval()
images = torch.rand(2, 3, 64, 96)

new, report = dysample.replace_upsamplers(model, "dysample", example_inputs=images)
print(report)
assert len(report.replaced) == 6
with torch.no_grad():
    assert torch.allclose(new(images), model(images), atol=1e-5)

labels = torch.randint(8, (2, 64, 96))
optimizer = torch.optim.AdamW(new.parameters(), lr=1e-4)
loss = torch.nn.functional.cross_entropy(new.train()(images), labels)
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
