"""DySample in the neck and head of transformers' DPT."""

import torch
from transformers import DPTConfig, DPTForDepthEstimation

import dysample

# Yours: DPTForDepthEstimation.from_pretrained("Intel/dpt-large")
config = DPTConfig(
    hidden_size=32,
    num_hidden_layers=4,
    num_attention_heads=2,
    intermediate_size=64,
    image_size=64,
    patch_size=16,
    backbone_out_indices=[0, 1, 2, 3],
    neck_hidden_sizes=[8, 16, 24, 32],
    fusion_hidden_size=16,
)
model = DPTForDepthEstimation(config)
images = torch.rand(1, 3, 64, 64)

# Its steps align corners, which upsamplers do not: the output changes a little at once. The last
# step of the head alone can be left as it was.
model, report = dysample.replace_upsamplers(
    model, "dysample", example_inputs=images, where="neck.fusion_stage.*"
)
print(report)
assert len(report.replaced) == 4
assert not report.unchanged

optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
loss = (model.train()(images).predicted_depth - 1).abs().mean()
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
