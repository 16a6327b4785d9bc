"""The commands on the page are those that make its runs."""

import shlex

from dysample.cli.compare import compare
from dysample.workbench.report.page.commands import commands
from dysample.workbench.settings import settings_of
from support.made_results import made_run


def test_the_command_has_the_settings_of_the_runs(families):
    runs = [made_run("semantic", n, s, h) for h in ("plain", "skip") for n in ("bilinear", "carafe")
            for s in range(3 if n == "bilinear" else 2)]  # fmt: skip
    runs.append(made_run("semantic", "dysample", 0, "plain", {"style": "pl", "groups": 2}))
    (family,) = families(runs)
    lines = commands(family).splitlines()
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
    assert "--data pennfudan:PATH " in commands(family)
    assert "--head" not in commands(family)
    assert "--weights" not in commands(family)
