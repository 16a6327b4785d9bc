"""The primitives as fused C++ kernels, called through ctypes: tensors on the CPU, no autograd."""
