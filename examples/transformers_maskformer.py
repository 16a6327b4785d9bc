"""A guided upsampler in the pixel decoder of transformers' MaskFormer."""

import torch
from transformers import (
    DetrConfig,
    MaskFormerConfig,
    MaskFormerForInstanceSegmentation,
    SwinConfig,
)

import dysample

# Yours: MaskFormerForInstanceSegmentation.from_pretrained("facebook/maskformer-swin-tiny-ade")
stages = ["stage1", "stage2", "stage3", "stage4"]
config = MaskFormerConfig(
    backbone_config=SwinConfig(
        embed_dim=16, depths=[1] * 4, num_heads=[1, 1, 2, 2], out_features=stages
    ),
    decoder_config=DetrConfig(
        d_model=64, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=64, num_queries=8
    ),
    fpn_feature_size=64,
    mask_feature_size=64,
    num_labels=3,
)
model = MaskFormerForInstanceSegmentation(config)
images = torch.rand(1, 3, 64, 96)

# SAPA reads the finer lateral map, as in its paper.
model, report = dysample.replace_upsamplers(model, "sapa_b", example_inputs=images)
print(report)
assert len(report.replaced) == 3

masks = torch.zeros(2, 64, 96)
masks[0, :30] = masks[1, 30:] = 1
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
loss = model.train()(images, mask_labels=[masks], class_labels=[torch.tensor([0, 2])]).loss
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
