"""torch.fx support: a call with proxies becomes one node of the graph, as for torch's operators.

Which operators run depends on sizes and dtypes, so a graph of them would hold for one case alone.
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
    """Return the first torch.fx proxy among some arguments, or in tuples of them."""
    for value in values:
        if isinstance(value, (tuple, list)):
            value = proxy_in(*value)
        if isinstance(value, Proxy):
            return value
    return None


def function_node(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Record calls of a function with proxies as one node."""

    @wraps(function)
    def call(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
        proxy = proxy_in(*args, *options.values())
        if proxy is None:
            return function(*args, **options)
        node: Any = proxy.tracer.create_proxy("call_function", call, args, options)
        return node  # type: ignore[no-any-return]

    return call


def module_node(module: nn.Module, proxy: Proxy, args: tuple[Any, ...], options: Any) -> Any:
    """Return the node for a call of a module.

    Raises:
        ValueError: the module is the traced model itself, or not part of it.
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
