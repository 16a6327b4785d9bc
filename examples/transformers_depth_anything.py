"""DySample in the neck and head of transformers' Depth Anything."""

import torch
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

import dysample

# Yours: from_pretrained("depth-anything/Depth-Anything-V2-Small-hf")
config = DepthAnythingConfig(
    backbone_config=Dinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=64,
        patch_size=16,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
    ),
    patch_size=16,
    reassemble_hidden_size=32,
    neck_hidden_sizes=[8, 16, 24, 32],
    fusion_hidden_size=16,
)
model = DepthAnythingForDepthEstimation(config)
images = torch.rand(1, 3, 64, 96)

# Its steps align corners, which upsamplers do not: the output changes a little at once, and the
# report says so.
model, report = dysample.replace_upsamplers(model, "dysample", example_inputs=images)
print(report)
assert len(report.replaced) == 5
assert not report.unchanged

optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
loss = (model.train()(images).predicted_depth - 1).abs().mean()
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
