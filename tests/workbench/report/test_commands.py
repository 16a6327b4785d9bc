"""The command for a conclusion makes the runs that lack, with the settings of the others."""

import shlex

from dysample.cli.compare import compare
from dysample.workbench.report.commands import command_for_more
from dysample.workbench.settings import settings_of
from support.made_results import made_run, tuned_runs


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
    assert "--head" not in line
    assert "--weights" not in line
    assert "augment" not in line  # as in the recipe
    run["settings"]["augment"] = True
    assert "--augment" in more(families, [run]).split()
    # The recipe of a model of the papers augments, and has a learning rate of its own.
    run["settings"] = {**run["settings"], "model": "r50", "learning_rate": 1e-4}
    del run["settings"]["augment"]
    words = more(families, [run]).split()
    assert "--no-augment" in words
    assert words[words.index("--model") + 1] == "r50"
    assert "--learning-rate" not in words
    run["settings"] |= {"augment": True, "learning_rate": 2e-3}
    words = more(families, [run]).split()
    assert "--augment" not in words
    assert words[words.index("--learning-rate") + 1] == "0.002"
    assert more(families, [made_run("detection", "bilinear", 0, None)]) is None


def test_the_command_of_tuned_runs_tunes(families):
    tried = {"bilinear": {1.0: 0.5, 0.1: 0.4}, "dysample": {1.0: 0.4, 0.1: 0.6}}
    runs = tuned_runs("semantic", tried, {"bilinear": 1.0, "dysample": 0.1}, 2)
    line = more(families, runs)
    assert line == (
        "dysample compare --upsamplers bilinear,dysample --seeds 3 --tune --output 'out dir'"
    )
    assert compare.make_context("compare", shlex.split(line)[2:]).params["tune"] is True
    # Of scales that were given there is no such command: a search may choose others.
    assert more(families, runs[4:]) is None
    assert more(families, runs[:2] + runs[4:]) is None


def test_no_command_evaluates_on_held_out_images(families):
    run = made_run("semantic", "carafe", 0)
    assert more(families, [run]) is not None
    run["settings"]["held_out"] = True
    assert more(families, [run]) is None
