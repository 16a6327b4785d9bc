"""DySample in the decoder of transformers' GLPN."""

import torch
from transformers import GLPNConfig, GLPNForDepthEstimation

import dysample

# Yours: GLPNForDepthEstimation.from_pretrained("vinvino02/glpn-nyu")
model = GLPNForDepthEstimation(GLPNConfig(depths=[1] * 4, decoder_hidden_size=16)).eval()
images = torch.rand(1, 3, 64, 96)

new, report = dysample.replace_upsamplers(model, "dysample", example_inputs=images)
print(report)
assert len(report.replaced) == 5
with torch.no_grad():
    assert torch.allclose(new(images).predicted_depth, model(images).predicted_depth, atol=1e-5)

optimizer = torch.optim.AdamW(new.parameters(), lr=1e-4)
loss = (new.train()(images).predicted_depth - 1).abs().mean()
loss.backward()
optimizer.step()
print(f"loss {loss:.3f}")
