"""DySample in the pixel decoder of transformers' Mask2Former."""

import torch
from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

import dysample

# Yours: from_pretrained("facebook/mask2former-swin-tiny-ade-semantic")
stages = ["stage1", "stage2", "stage3", "stage4"]
config = Mask2FormerConfig(
    backbone_config=SwinConfig(
        embed_dim=16, depths=[1] * 4, num_heads=[1, 1, 2, 2], out_features=stages
    ),
    feature_size=32,
    mask_feature_size=32,
    hidden_dim=32,
    encoder_feedforward_dim=32,
    encoder_layers=1,
    decoder_layers=2,
    num_attention_heads=2,
    dim_feedforward=32,
    num_queries=8,
    num_labels=3,
)
model = Mask2FormerForUniversalSegmentation(config).eval()
images = torch.rand(1, 3, 64, 96)

new, report = dysample.replace_upsamplers(model, "dysample", example_inputs=images)
print(report)
assert [site.name for site in report.replaced] == ["model.pixel_level_module.decoder:0"]
with torch.no_grad():
    before, after = model(images), new(images)
assert torch.allclose(after.masks_queries_logits, before.masks_queries_logits, atol=1e-4)

masks = torch.zeros(2, 64, 96)
masks[0, :30] = masks[1, 30:] = 1
optimizer = torch.optim.AdamW(new.parameters(), lr=1e-4)
loss = new.train()(images, mask_labels=[masks], class_labels=[torch.tensor([0, 2])]).loss
loss.backward()
optimizer.step()
print(f"loss {loss.item():.3f}")
