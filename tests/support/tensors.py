"""Tensors that hold features in a way that no upsampler reads."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor


def quantized(x: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch leaves them behind
        return torch.quantize_per_tensor(x, 0.1, 0, torch.quint8)


def nested(x: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are a prototype
        return torch.nested.as_nested_tensor(list(x))


def jagged(x: Tensor) -> Tensor:
    return torch.nested.as_nested_tensor(list(x), layout=torch.jagged)


OF_ANOTHER_KIND = [
    ("dense, not torch.sparse_coo", Tensor.to_sparse),
    ("dense, not torch._mkldnn", Tensor.to_mkldnn),
    ("dense, not a nested tensor", nested),
    ("dense, not a nested tensor", jagged),
    ("floating with 16 bits or more, not torch.float8_e4m3fn", lambda x: x.to(torch.float8_e4m3fn)),
    ("floating with 16 bits or more, not torch.float8_e5m2", lambda x: x.to(torch.float8_e5m2)),
    ("floating, not torch.quint8", quantized),
    ("floating, not torch.complex64", lambda x: x + 0j),
    ("floating, not torch.int32", Tensor.int),
    ("floating, not torch.bool", Tensor.bool),
    ("a tensor, not list", Tensor.tolist),
]
"""What an error says that they must be, and how to make one of plain features."""
