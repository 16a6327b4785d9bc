"""The primitives as fused Triton kernels: tensors on a GPU, no autograd.

`support` says whether Triton can run, without importing it; everything else here imports it.
"""
