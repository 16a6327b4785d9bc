"""A guided upsampler in the head of transformers' UPerNet."""

import torch
from transformers import ConvNextConfig, UperNetConfig, UperNetForSemanticSegmentation

import dysample

# Yours: UperNetForSemanticSegmentation.from_pretrained("openmmlab/upernet-convnext-tiny")
config = UperNetConfig(
    backbone_config=ConvNextConfig(
        hidden_sizes=[8, 16, 24, 32],
        depths=[1] * 4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    ),
    hidden_size=32,
    auxiliary_in_channels=24,
    auxiliary_channels=16,
    num_labels=8,
)
model = UperNetForSemanticSegmentation(config)
images = torch.rand(2, 3, 64, 96)

# FADE reads the lateral map on the way down, and the finest output for the others.
model, report = dysample.replace_upsamplers(model, "fade", example_inputs=images)
print(report)
assert len(report.replaced) == 6

labels = torch.randint(8, (2, 64, 96))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
loss = model.train()(images, labels=labels).loss
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
