"""Command lines with wrong words; whatever would take long is not begun."""

from contextlib import ExitStack
from pathlib import Path
from random import Random
from unittest.mock import patch

from attack.children import Child, verb
from attack.kinds import Kind, Made, Outcome, held, refused_or_done
from attack.limits import of_input

BASES: tuple[tuple[str, ...], ...] = (
    ("compare", "--upsamplers", "nearest", "--seeds", "1", "--tasks", "semantic", "--data",
     "scenes", "--model", "small", "--steps", "2", "--width", "8", "--size", "32",
     "--output", "out"),
    ("compare", "--encoder", "conv", "--head", "skip", "--batch-size", "2", "--learning-rate",
     "0.1", "--weight-decay", "0", "--train-frames", "8", "--val-frames", "4", "--engine", "local",
     "--output", "out"),
    ("train", "semantic_scenes", "--size", "32", "--steps", "2", "--seed", "1",
     "--upsampler", "dysample(groups=2)", "--output", "out"),
    ("train", "--task", "depth", "--data", "scenes", "--precision", "32-true",
     "--devices", "1", "--validate-every", "2", "--output", "out"),
    ("train", "--resume", "--output", "nothing"),
    ("evaluate", "results.jsonl", "--data", "scenes", "--json", "x.json"),
    ("show", "scene:1", "--pixel", "3,4", "--upsampler", "dysample", "--site", "x", "--output",
     "x.png"),
    ("show", "results.jsonl", "--checkpoint", "results.jsonl", "--label", "results.jsonl"),
    ("demo", "nothing", "--port", "7", "--host", "127.0.0.1"),
    ("sites", "dysample.nn:Nearest", "--height", "32", "--width", "32", "--upsampler", "dysample"),
    ("export", "dysample", "--input", "1x8x4x4", "--opset", "18", "--sampler", "auto", "--dynamic",
     "none", "--output", "m.onnx"),
    ("info",),
    ("report", "results.jsonl", "--output", "page"),
    ("data", "folders:nothing", "--preview", "x.png"),
    ("cost", "carafe", "--in-channels", "8", "--height", "4", "--width", "4"),
    ("bench", "--rounds", "1", "--suite", "x", "--json", "x.json"),
)  # fmt: skip

# Nothing that leads out of the case's own folder: what is written there is looked at.
WORDS = (
    "", " ", "-1", "0", "1", "1e999", "nan", "-inf", "\u0663", "9" * 30, "2147483648", "1.5",
    "0x10", "true", "null", "\n", "a\tb", "[bold]x[/nope]", "a" * 5000, "a/" * 300, "..", "../..",
    "nothing/x", "results.jsonl", "results.jsonl/x", "/nowhere/x", "/proc/self/mem", "~nobody/x",
    "\udcff", "{}", "{",
    "[", "[[[", "(" * 2000, "dysample(groups=0)", "dysample(groups=", "dysample(nope=1)",
    "dysample(groups=8", "dysample*", "all", ",", ",,", "nearest,nearest", "None", "!x",
    "%s", "{x}", "$(id)", "os:getcwd", "sys:exit", "nope:x", "x:y:z", ":", "a:", ":a",
    "folders:", "folders:.",
    "coco_panoptic:..", "scene:", "scene:-1", "scene:9999999999999999999999", "1x1x1x1", "0x0x0x0",
    "99999x99999x99999x99999", "axbxcxd", "1x8", "3,4", "-3,4", "9999999999999,1", "--", "-", "-h",
    "--version", "--nope", "--output", "--config", "--seed=x", "--steps.x=1", "--settings={}",
    "--steps=[1]", "--steps=null", "--settings.steps=1", "--upsampler_options.groups=x",
    "--print-config=x",
    "dysample.nn:Nearest", "dysample.cli:main", "this:s", "semantic", "semantic,depth", "r50",
)  # fmt: skip

_LONG = (
    "workbench.compare.comparison._Runner.run",
    "workbench.compare.comparison.prepare",
    "workbench.training.train.prepare",
    "workbench.training.evaluate.evaluate",
    "workbench.look.models.run_task",
    "workbench.bench.run.run",
)


def _words(rng: Random, folder: Path, made: Made) -> Outcome:
    words = list(rng.choice(BASES))
    for _ in range(rng.choice((1, 1, 2, 3))):
        place = rng.randint(min(len(words), rng.random() < 0.9), len(words))
        match rng.randrange(5):
            case 0:
                words.insert(place, rng.choice(WORDS))
            case 1 if place < len(words):
                del words[place]
            case 2 if place < len(words):
                words.insert(place, words[place])
            case _ if place < len(words):
                words[place] = rng.choice(WORDS)
    words = [word.replace("\0", "") for word in words]
    deep = folder / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "results.jsonl").write_text('{"run": 1}\n')
    before = held(folder)

    def work() -> None:
        with ExitStack() as stack:
            for name in _LONG:
                stack.enter_context(patch(f"dysample.{name}", side_effect=SystemExit(0)))
            verb(*words)()

    ended = Child(work, deep, of_input()).wait()
    outcome = refused_or_done(ended, folder, before, 0, 2)
    outcome.faults = [f"{fault}; dysample {words!r:.500}" for fault in outcome.faults]
    return outcome


KINDS = (Kind("words", "bad inputs", 200, _words),)
