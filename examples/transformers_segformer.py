"""DySample in the head of transformers' SegFormer."""

import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

import dysample

# Yours: SegformerForSemanticSegmentation.from_pretrained(...) of a checkpoint such as
# "nvidia/segformer-b0-finetuned-ade-512-512".
config = SegformerConfig(depths=[1, 1, 1, 1], decoder_hidden_size=64, num_labels=8)
model = SegformerForSemanticSegmentation(config).eval()
images = torch.rand(1, 3, 64, 96)

new, report = dysample.replace_upsamplers(
    model, "dysample", example_inputs={"pixel_values": images}
)
print(report)
assert len(report.replaced) == 3
with torch.no_grad():
    assert torch.allclose(new(images).logits, model(images).logits, atol=1e-5)

labels = torch.randint(8, (1, 64, 96))
optimizer = torch.optim.AdamW(new.parameters(), lr=1e-4)
loss = new.train()(images, labels=labels).loss
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
