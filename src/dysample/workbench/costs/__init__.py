"""Costs of upsamplers and models: counted here, beside those in the papers, as tables."""

from dysample.workbench.costs.count import (
    FLOP_FORMULAS,
    Cost,
    allocated_peak,
    count_macs,
    count_parameters,
    measure_cost,
    measure_costs,
    peak_memory,
    trace_macs,
)

__all__ = [
    "FLOP_FORMULAS",
    "Cost",
    "allocated_peak",
    "count_macs",
    "count_parameters",
    "measure_cost",
    "measure_costs",
    "peak_memory",
    "trace_macs",
]
