"""The printed table: readable at 80 columns, plain when piped, and never claiming too much."""

import io

import pytest
from rich.console import Console

from dysample.workbench.numbers import count, number, three_digits
from dysample.workbench.record import read_records
from dysample.workbench.report.table import print_table

FIVE = ["nearest", "bilinear", "carafe", "dysample", "dysample_s_plus"]


@pytest.fixture
def printed(write):
    def print_entries(entries, width=80, encoding="utf-8"):
        raw = io.BytesIO()
        with io.TextIOWrapper(raw, encoding=encoding) as file:
            print_table(read_records(write(entries)), "out", Console(file=file, width=width))
            file.flush()
            return raw.getvalue().decode(encoding)

    return print_entries


def test_80_columns_piped(entry, printed):
    text = printed([entry(name, seed, frames=0) for name in FIVE for seed in (0, 1)])
    assert "\x1b" not in text
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    for name in FIVE:
        (row,) = [line for line in lines if line.startswith(f"{name} ")]
        # Whole on one line, with the differences only where there are any.
        assert row.count("±") == (0 if name == "bilinear" else 2)
        assert "…" not in row


@pytest.mark.parametrize(("width", "spreads"), [(80, 2), (120, 4)])
def test_a_wide_table_has_the_spread_of_the_metrics_too(entry, printed, width, spreads):
    entries = [entry(name, seed, frames=0) for name in FIVE for seed in (0, 1)]
    text = printed(entries, width)
    (row,) = [line for line in text.splitlines() if line.startswith("dysample ")]
    assert row.count("±") == spreads


def test_numbers_in_the_row(entry, printed):
    entries = [
        entry("bilinear", 0, frames=0, miou=0.5, boundary_iou=0.3),
        entry("bilinear", 1, frames=0, miou=0.6, boundary_iou=0.3),
        entry("dysample", 0, frames=0, miou=0.52, boundary_iou=0.2),
        entry("dysample", 1, frames=0, miou=0.64, boundary_iou=0.2),
    ]
    (row,) = [line for line in printed(entries).splitlines() if line.startswith("dysample ")]
    assert row.split()[1:8] == ["2", ".580", "+.030", "±.014", ".200", "-.100", "±.000"]
    assert row.split()[8:10] == ["+12.5k", "0.127"]


LEVELS = {"bilinear": 0.5, "carafe": 0.6, "nearest": 0.4}


def test_three_seeds_are_a_statement_where_both_intervals_exclude_zero(entry, printed):
    entries = [
        entry(name, s, frames=0, miou=level) for name, level in LEVELS.items() for s in range(3)
    ]
    entries += [
        entry("dysample", s, frames=0, miou=m) for s, m in enumerate((0.501, 0.501, 0.56))
    ]  # all above, but by .021 ± .034
    text = " ".join(printed(entries, 200).split())
    assert "mIoU of bilinear is .500. Against bilinear, significantly better: carafe +.100;" in text
    assert "; significantly worse: nearest -.100; not significant: dysample +.021." in text
    assert "3 seeds per upsampler. With fewer than 5" in text
    assert "dysample compare" not in text


def test_two_seeds_show_the_numbers_and_allow_no_conclusion(entry, printed):
    entries = [
        entry(name, s, frames=0, miou=level) for name, level in LEVELS.items() for s in (0, 1)
    ]
    lines = printed(entries).splitlines()
    text = " ".join(" ".join(lines).split())
    assert "2 seeds per upsampler. Fewer than 3 paired seeds allow no conclusion." in text
    assert (
        "Against bilinear, no conclusion from fewer than 3 paired seeds: nearest -.100 and "
        "carafe +.100."
    ) in text
    assert "significantly" not in text
    place = lines.index("- For a conclusion, run:")
    # A shell joins the lines; what the recipe has is left out.
    assert lines[place + 1 : place + 3] == [
        "  dysample compare --upsamplers bilinear,nearest,carafe --seeds 3 --output out \\",
        "    --steps 400",
    ]


def test_one_seed_shows_no_spread_and_no_verdict(entry, printed):
    text = printed([entry(name, frames=0) for name in FIVE], 120)
    (row,) = [line for line in text.splitlines() if line.startswith("dysample ")]
    assert row.count("±   -") == 4
    assert ".000" not in row
    assert "significantly" not in text
    assert "1 seed per upsampler. Fewer than 3 paired seeds allow no conclusion." in text


def test_where_lower_is_better_the_lower_one_is(depth_entry, printed):
    entries = [
        depth_entry(name, seed, abs_rel)
        for seed in range(3)
        for name, abs_rel in (("nearest", 0.16), ("bilinear", 0.15), ("dysample", 0.14))
    ]
    text = " ".join(printed(entries, 200).split())
    assert (
        "AbsRel (lower is better) of bilinear is .150. Against bilinear, significantly better: "
        "dysample -.010; significantly worse: nearest +.010."
    ) in text
    assert "delta1 of bilinear is .800. Against bilinear, not significant: nearest +.000" in text


def test_further_measures_have_a_table_of_their_own(depth_entry, printed):
    lines = printed([depth_entry(name) for name in ("bilinear", "dysample", "fade")]).splitlines()
    place = next(
        i for i, line in enumerate(lines) if line.split() == ["upsampler", "RMSE", "small"]
    )
    assert lines[place - 1].split() == ["AP"]
    assert lines[place + 2].split() == ["bilinear", ".560", "-"]
    assert "- Means over seeds. Lower is better: AbsRel and RMSE." in lines


def test_one_table_a_task(entry, depth_entry, printed):
    lines = printed([entry(frames=0), depth_entry()]).splitlines()
    heads = [line.split() for line in lines if line.startswith("upsampler ")]
    assert [head[2] for head in heads[:2]] == ["mIoU", "AbsRel"]
    assert "semantic, scenes 64x64, plain head" in lines
    assert "depth, scenes 64x64, plain head" in lines


def test_without_bilinear_the_differences_are_empty(entry, printed):
    text = printed([entry("dysample", seed, frames=0) for seed in (0, 1)])
    (row,) = [line for line in text.splitlines() if line.startswith("dysample ")]
    assert "±" not in row
    assert "No bilinear run with these settings" in text


@pytest.mark.parametrize(("head", "other"), [("plain", "--head skip"), ("skip", "--head plain")])
def test_one_head_names_the_other(entry, printed, head, other):
    text = printed([entry(name, frames=0, head=head) for name in FIVE])
    assert f"Only the {head} head is in the file" in text
    assert other in text


def test_two_heads_are_compared(entry, printed):
    entries = [
        entry(name, seed, frames=0, head=head)
        for head in ("plain", "skip")
        for seed in (0, 1)
        for name in FIVE
    ]
    text = printed(entries)
    assert "What the head does: the largest mIoU difference" in text
    assert "Only the" not in text
    rows = [line for line in text.splitlines() if line.startswith("carafe ")]
    assert [row.count("±") for row in rows] == [2, 2, 4]
    assert max(map(len, text.splitlines())) <= 80


def test_guided_upsamplers_stand_apart(entry, printed):
    entries = [entry("fade", frames=0, guided=True), entry("bilinear", frames=0)]
    lines = [line.strip() for line in printed(entries).splitlines()]
    place = lines.index("guided:")
    assert lines[place - 1].startswith("bilinear")
    assert lines[place + 1].startswith("fade")
    assert any("Guided upsamplers also read" in line for line in lines)


def test_long_names_fold_and_numbers_do_not(entry, printed):
    one = entry("dysample", frames=0) | {"upsampler_options": {"groups": 8, "style": "pl"}}
    text = printed([entry("bilinear", frames=0), one, entry("carafe", frames=0)])
    (row,) = [line for line in text.splitlines() if line.startswith("dysample(")]
    assert row.count("±") == 2


def test_a_console_without_the_sign(entry, printed):
    entries = [entry(name, seed, frames=0) for name in FIVE for seed in (0, 1)]
    assert "+-" in printed(entries, encoding="ascii")


def test_numbers():
    assert [number(v) for v in (0.7051, 1.0, 0.9996)] == [".705", "1.000", "1.000"]
    assert [number(v, sign=True) for v in (0.015, -0.0261)] == ["+.015", "-.026"]
    assert [count(v) for v in (0, 999, 12_345, 999_900, 1.5e9)] == [
        "0", "999", "12.3k", "1.00M", "1.50G",
    ]  # fmt: skip
    assert [three_digits(v) for v in (0.01234, 0.1234, 1.234, 12.34, 99.96, 1234)] == [
        "0.0123", "0.123", "1.23", "12.3", "100", "1234",
    ]  # fmt: skip


def absent_from(entry_of, classes, name="folders", absent=("crack",)):
    """Two runs on labels that hold some classes only."""
    entries = [entry_of(upsampler, frames=0, data=name) for upsampler in ("bilinear", "carafe")]
    for one in entries:
        values = {key: None if key in absent else 0.98 for key in classes}
        one["metrics"]["class_iou"] = values
        one["data"]["classes"] = list(classes)
    return entries


def test_classes_that_never_occur_are_named(entry, printed):
    text = " ".join(printed(absent_from(entry, ("ground", "crack")), 200).split())
    assert (
        "- 1 of 2 classes never occur in the validation labels, and means over classes are of the"
        " others alone: crack. Masks of 0 and 255 are the usual reason: `binary:PATH` reads 255 as"
        " a class."
    ) in text
    text = " ".join(printed(absent_from(entry, ("ground", "crack"), "voc"), 200).split())
    assert "of the others alone: crack." in text
    assert "binary" not in text
    names = [f"c{i}" for i in range(9)]
    text = " ".join(printed(absent_from(entry, names, "voc", names[1:]), 200).split())
    assert "- 8 of 9 classes never" in text
    assert "alone: c1, c2, c3, c4, c5 and others." in text


def test_a_class_that_some_run_measures_occurs(entry, printed):
    entries = absent_from(entry, ("ground", "crack"))
    entries[1]["metrics"]["class_iou"]["crack"] = 0.0
    assert "never occur" not in printed(entries)


def test_names_are_no_markup(entry, printed):
    text = printed(absent_from(entry, ("ground", "[bold]x[/nope]"), absent=("[bold]x[/nope]",)))
    assert "[bold]x[/nope]" in " ".join(text.split())
