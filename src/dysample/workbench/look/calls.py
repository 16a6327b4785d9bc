"""Choose the call of an upsampler that a figure shows."""

from dysample.calls import Call


def choose_call(calls: list[Call], site: str | None) -> Call:
    """Return the call at a site; by default the last of those with the largest output.

    Raises:
        ValueError: no upsampler was called, or none at that site; features that are not finite.
    """
    call = _call_at(calls, site)
    if not (call.x.isfinite().all() and call.out.isfinite().all()):
        raise ValueError(
            f"`model` must give finite features, but {call.site or 'its upsampler'} reads or gives"
            " others: nan or infinity"
        )
    return call


def _call_at(calls: list[Call], site: str | None) -> Call:
    if not calls:
        raise ValueError("`model` must call an upsampler of dysample, but called none")
    if site is None:
        largest = max(call.size[0] * call.size[1] for call in calls)
        return [call for call in calls if call.size[0] * call.size[1] == largest][-1]
    for call in calls:
        if call.site == site:
            return call
    known = ", ".join(dict.fromkeys(call.site for call in calls))
    raise ValueError(f"`site` (={site!r}) must be one of {known}")
