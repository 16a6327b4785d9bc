"""The commands on the page are those that make its runs."""

import shlex

from dysample.cli.compare import compare
from dysample.workbench.report.commands import command_for_more, commands
from dysample.workbench.settings import settings_of
from support.made_results import made_run


def test_the_command_has_the_settings_of_the_runs(families):
    runs = [made_run("semantic", n, s, h) for h in ("plain", "skip") for n in ("bilinear", "carafe")
            for s in range(3 if n == "bilinear" else 2)]  # fmt: skip
    runs.append(made_run("semantic", "dysample", 0, "plain", {"style": "pl", "groups": 2}))
    (family,) = families(runs)
    lines = commands([one.group for one in family.members]).splitlines()
    given = []
    for line in lines:
        program, verb, *words = shlex.split(line)
        assert (program, verb) == ("dysample", "compare")
        given.append(compare.make_context("compare", words).params)
    # By head, and within by the number of seeds.
    assert [(one["head"], one["seeds"], one["upsamplers"]) for one in given] == [
        ("plain", 3, "bilinear"),
        ("plain", 2, "carafe"),
        ("plain", 1, "dysample(style='pl', groups=2)"),
        ("skip", 3, "bilinear"),
        ("skip", 2, "carafe"),
    ]
    first = given[0]
    names = ("steps", "batch_size", "learning_rate", "weight_decay", "model", "encoder", "width")
    settings = settings_of(["semantic"], first["data"], **{name: first[name] for name in names})
    made = runs[0]["settings"]
    assert {name: settings["semantic"].to_dict()[name] for name in made} == made


def test_data_on_disk_have_a_path_to_fill_in(families):
    run = made_run("detection", "bilinear", 0, None)
    run["data"]["name"] = "pennfudan"
    (family,) = families([run])
    text = commands([family.members[0].group])
    assert "--data pennfudan:PATH " in text
    assert "--no-augment" in text.split()
    assert "--head" not in text
    assert "--weights" not in text


def more(families, runs):
    (family,) = families(runs)
    (member,) = family.members
    words = command_for_more(member.group, member.group.rows, "out dir")
    return None if words is None else " ".join(words)


def test_the_command_for_a_conclusion_makes_the_seeds_that_lack(families):
    runs = [made_run("semantic", "bilinear", seed) for seed in range(4)]
    runs += [made_run("semantic", "nearest", seed) for seed in (1, 2, 3)]
    assert more(families, runs) is None
    runs += [made_run("semantic", "carafe", seed) for seed in (0, 1)]
    runs += [made_run("semantic", "dysample", seed, "plain", {"groups": 2}) for seed in (7, 8, 9)]
    line = more(families, runs)
    # What the recipe has already is not said.
    assert line == (
        "dysample compare --upsamplers 'bilinear,carafe,dysample(groups=2)' --seeds 3 "
        "--output 'out dir'"
    )
    runs[0]["settings"]["steps"] = 900
    for run in runs:
        run["settings"] = {**run["settings"], "steps": 900, "head": "skip"}
    line = more(families, runs)
    assert line.endswith("--output 'out dir' --steps 900 --head skip")
    given = compare.make_context("compare", shlex.split(line)[2:]).params
    names = ("steps", "batch_size", "learning_rate", "weight_decay", "model", "encoder", "head")
    settings = settings_of(["semantic"], given["data"], **{name: given[name] for name in names})
    made = runs[0]["settings"]
    assert {name: settings["semantic"].to_dict()[name] for name in made} == made


def test_the_command_for_a_conclusion_on_photographs(families):
    run = made_run("detection", "carafe", 0, None)
    run["data"]["name"] = "pennfudan"
    line = more(families, [run])
    assert line.startswith(
        "dysample compare --tasks detection --data pennfudan:PATH --upsamplers bilinear,carafe "
        "--seeds 3 --output 'out dir' --steps 300"
    )
    assert "augment" not in line  # as in the recipe
    run["settings"]["augment"] = True
    assert "--augment" in more(families, [run]).split()
    assert more(families, [made_run("detection", "bilinear", 0, None)]) is None
