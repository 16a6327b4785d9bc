import re
from typing import Any

import pytest

from dysample.workbench.compare.engines import by_name
from dysample.workbench.compare.engines.by_name import choose_engine
from dysample.workbench.compare.engines.local import LocalEngine
from support.refusals import refused


def test_local_processes_are_the_default() -> None:
    assert isinstance(choose_engine(), LocalEngine)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("`engine` (='dask') must be one of local, ray", {"name": "dask"}),
        ("`workers` (=0) must be at least 1", {"workers": 0}),
        ("`address` (='auto') is for `engine` 'ray' alone", {"address": "auto"}),
    ],
)
def test_mistakes(message: str, arguments: dict[str, Any]) -> None:
    with refused(f"^{re.escape(message)}$"):
        choose_engine(**arguments)


def test_ray_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_name, "find_spec", lambda name: None)
    with refused(r"needs Ray: pip install 'dysample\[ray\]'"):
        choose_engine("ray")
