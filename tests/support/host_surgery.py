"""Surgery on each host, done once, and the table of what came out."""

from __future__ import annotations

import functools

from torch import nn

from dysample.surgery import Report, find_sites, replace_upsamplers
from support.hosts import HOSTS, Host


@functools.cache
def operated(name: str) -> tuple[nn.Module, nn.Module, Report]:
    """The model, its copy with DySample at all steps of one mode, and the report."""
    host = HOSTS[name]
    model = host.model()
    where = host.where or host.same_mode
    new, report = replace_upsamplers(
        model, "dysample", example_inputs=host.example(), where=where, **host.options
    )
    return model, new, report


def support_table() -> str:
    """A line a host; `docs/tables.py` writes it into the page."""
    lines = [
        "| model | library | steps | mode before | output unchanged before training | guided |",
        "|---|---|---:|---|---|---|",
    ]
    for host in HOSTS.values():
        sites = find_sites(operated(host.name)[0], host.example())
        steps = [site for site in sites if site.why_not_features is None]
        modes = sorted({site.mode for site in steps or operated(host.name)[2].replaced})
        cells = (
            f"[{host.name}](../examples/{host.example_script})",
            host.library,
            str(len(steps)) if steps else "only the logits",
            ", ".join(mode.replace(", corners", " (corners)") for mode in modes),
            _same_at_first(host, len(steps)),
            _guided(host, len(steps)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _same_at_first(host: Host, steps: int) -> str:
    report = operated(host.name)[2]
    if not report.unchanged:
        return "no"
    if len(report.replaced) < steps:
        return f"{len(report.replaced)} of {steps}"
    return f'with `start="{host.options["start"]}"`' if host.options else "yes"


def _guided(host: Host, steps: int) -> str:
    _, report = replace_upsamplers(
        operated(host.name)[0], "fade", example_inputs=host.example(), dry_run=True, gating=False
    )
    if not report.replaced:
        return f"no: {host.why_no_guide}"
    return "yes" if len(report.replaced) == steps else f"{len(report.replaced)} of {steps}"
