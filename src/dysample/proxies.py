"""torch.fx: what is called with proxies becomes one node of the graph, as torch's own do.

Sizes and dtypes choose what runs: a graph of the operators within would hold for one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from torch import nn
from torch.fx import Proxy

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def proxy_in(*values: Any) -> Proxy | None:
    """The first proxy of torch.fx among some arguments, or in tuples of them."""
    for value in values:
        if isinstance(value, (tuple, list)):
            value = proxy_in(*value)
        if isinstance(value, Proxy):
            return value
    return None


def function_node(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Make calls of a function with proxies a node."""

    @wraps(function)
    def call(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
        proxy = proxy_in(*args, *options.values())
        if proxy is None:
            return function(*args, **options)
        node: Any = proxy.tracer.create_proxy("call_function", call, args, options)
        return node  # type: ignore[no-any-return]

    return call


def module_node(module: nn.Module, proxy: Proxy, args: tuple[Any, ...], options: Any) -> Any:
    """The node of a call of a module.

    Raises:
        ValueError: the module is the traced model itself, or no part of it.
    """
    tracer: Any = proxy.tracer
    try:
        path = tracer.path_of_module(module)
    except NameError:
        path = ""
    if not path:
        raise ValueError(
            f"torch.fx makes one node of {type(module).__name__}: trace a module that holds it,"
            f" such as torch.nn.Sequential, and has it as an attribute"
        )
    return tracer.create_proxy("call_module", path, args, options)
