"""DySample in the FPN of segmentation_models_pytorch."""

import segmentation_models_pytorch as smp
import torch

import dysample

# Yours: encoder_weights="imagenet".
model = smp.FPN("resnet18", encoder_weights=None, classes=8)
images = torch.rand(2, 3, 64, 96)

# The pyramid copies the nearest pixel, from where DySample can start at the same numbers. The
# blocks behind it align corners, and are left as they were.
new, report = dysample.replace_upsamplers(
    model.eval(), "dysample", example_inputs=images, where="decoder.p*", start="nearest"
)
print(report)
assert len(report.replaced) == 3
assert report.unchanged
with torch.no_grad():
    assert torch.allclose(new(images), model(images), atol=1e-5)

labels = torch.randint(8, (2, 64, 96))
optimizer = torch.optim.AdamW(new.parameters(), lr=1e-4)
loss = torch.nn.functional.cross_entropy(new.train()(images), labels)
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
