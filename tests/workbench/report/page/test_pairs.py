"""Every upsampler against every other."""

from dysample.workbench.report.page.pairs import OPEN, pair_table
from support.made_results import made_run


def test_a_number_only_where_the_difference_is_significant(families):
    levels = {"nearest": 0.4, "carafe": 0.6, "dysample": 0.6}
    runs = []
    for place, (name, level) in enumerate(levels.items()):
        for seed in range(3):
            run = made_run("semantic", name, seed)
            # The last two differ by noise of one sign or the other.
            run["metrics"]["miou"] = level + 1e-3 * ((seed * (place + 1)) % 3)
            run["parts"] = {}
            runs.append(run)
    (family,) = families(runs)
    (table,) = pair_table(family.members[0]).blocks
    assert table.columns == ("", "nearest", "carafe", "dysample")
    nearest, carafe, dysample = table.rows
    # Means of 0, 1 and 2 thousandths for all three, in another order.
    assert nearest == ("nearest", "", "-.2000", "-.1990")
    assert carafe[1] == "+.2000"
    assert (carafe[3], dysample[2]) == (OPEN, OPEN)
    assert "Of 3 pairs" in table.caption


def test_single_runs_tell_nothing(families):
    (family,) = families([made_run("semantic", name, 0) for name in ("carafe", "dysample")])
    assert pair_table(family.members[0]) is None
