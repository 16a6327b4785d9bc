"""A guided upsampler in the Unet of segmentation_models_pytorch."""

import segmentation_models_pytorch as smp
import torch

import dysample

# Yours: encoder_weights="imagenet".
model = smp.Unet("resnet18", encoder_weights=None, classes=8)
images = torch.rand(2, 3, 64, 96)

# FADE reads the skip connection; the last block has none, and keeps its step. FADE's gate would
# blend the skip with the result, and needs as many channels in both.
model, report = dysample.replace_upsamplers(model, "fade", example_inputs=images, gating=False)
print(report)
assert len(report.replaced) == 4
assert len(report.refused) == 1

labels = torch.randint(8, (2, 64, 96))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
loss = torch.nn.functional.cross_entropy(model.train()(images), labels)
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
