"""Files of runs with damage: configurations, checkpoints, hub folders, results."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import torch
import yaml

from attack.children import Child, verb
from attack.damage import as_json, changed, spoiled
from attack.kinds import TINY, Kind, Made, Outcome, held, refused_or_done
from attack.limits import of_input
from support.made_results import made_run

_TAGS = ("!!python/object/apply:os.getcwd []", "&a [*a, *a]", "*nowhere", "<<: 1", "? [a]\n: b",
         "{<<: *x}", "!!binary x", "!!timestamp 2001-01-01", "!!bool x", "!!int ''", "0x_",
         "- " * 500, "{" * 3000, "0o9", "1_0:2")  # fmt: skip


def _yaml(rng: Random, folder: Path, made: Made) -> Outcome:
    content = yaml.safe_load((made.trained / "config.yaml").read_text()) | {"output": "out"}
    match rng.randrange(4):
        case 0:
            text = yaml.safe_dump(content)
            place = text.find(": ", rng.randrange(len(text))) + 2
            written = f"{text[:place]}{rng.choice(_TAGS)}{text[place:]}".encode()
        case 1:
            rows = ["a0: &a0 [x, x]"]
            rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
            written = (
                "\n".join(rows) + f"\ntask: {rng.choice(('semantic', '*a9', '*a29'))}"
            ).encode()
        case 2:
            written = spoiled(rng, yaml.safe_dump(content).encode())
        case _:
            written = _dumped(changed(rng, content)).encode()
    (folder / "c.yaml").write_bytes(written)
    return _until_data(["train", "--config", "c.yaml", "--output", "out"], folder)


def _dumped(document: Any) -> str:
    """As YAML, which has no halves of characters."""
    return yaml.safe_dump(json.loads(json.dumps(document).replace("\\ud800", "\\u0080")))


def _until_data(command: list[str], folder: Path) -> Outcome:
    """Up to the data of a training, which can be any amount."""
    before = held(folder)

    def work() -> None:
        with patch("dysample.workbench.training.train.prepare", side_effect=SystemExit(0)):
            verb(*command)()

    ended = Child(work, folder, of_input()).wait()
    outcome = refused_or_done(ended, folder, before, 0, 2)
    if (folder / "out").exists():
        outcome.faults.append("left behind: the folder of a training that did not begin")
    return outcome


def _checkpoint(rng: Random, folder: Path, made: Made) -> Outcome:
    run = folder / "run"
    shutil.copytree(made.trained, run)
    if rng.random() < 0.3:  # so that there is something to go on with
        (run / "results.jsonl").unlink()
    (run / "best.ckpt").unlink()
    config = run / "config.yaml"  # which would be written anew if the run lay elsewhere
    config.write_text(config.read_text().replace(str(made.trained), "run"))
    path = run / "last.ckpt"
    match rng.randrange(3):
        case 0:
            path.write_bytes(spoiled(rng, path.read_bytes()))
        case 1:
            path.write_bytes(_repacked(rng, path))
        case _:
            torch.save(changed(rng, torch.load(path, weights_only=True)), path)
    command = rng.choice((["evaluate", "run"], ["train", *TINY, "--resume", "--output", "run"]))
    if command[0] == "train":
        command[1:1] = ["--task=semantic", "--upsampler=bilinear"]
    before = held(folder)
    ended = Child(verb(*command), folder, of_input()).wait()
    outcome = refused_or_done(ended, folder, before, 0, 2)
    # What only Lightning notices, of a whole file, is told when it has begun its logs.
    logs = ("run/log", "run/tensorboard")
    outcome.faults = [fault for fault in outcome.faults if not fault.startswith(logs)]
    return outcome


def _repacked(rng: Random, path: Path) -> bytes:
    """The archive with damage in a file, and the right checksum."""
    file = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(file, "w") as new:
        names = old.namelist()
        victim = rng.choice((next(n for n in names if n.endswith("data.pkl")), rng.choice(names)))
        for name in names:
            content = old.read(name)
            new.writestr(name, spoiled(rng, content) if name == victim else content)
    return file.getvalue()


def _hub(rng: Random, folder: Path, made: Made) -> Outcome:
    import dysample
    from dysample import hub

    up = dysample.create_upsampler(rng.choice(("dysample", "carafe", "fade", "nearest")), 8)
    hub.save_pretrained(up, folder / "up")
    config, weights = folder / "up" / "config.json", folder / "up" / "model.safetensors"
    document = json.loads(config.read_text())
    if rng.random() < 0.5:
        document.pop("sha256")
        content = weights.read_bytes()
        if rng.random() < 0.5:
            length = int.from_bytes(content[:8], "little")
            head = as_json(rng, json.loads(content[8 : 8 + length]))
            content = len(head).to_bytes(8, "little") + head + content[8 + length :]
        weights.write_bytes(content if rng.random() < 0.5 else spoiled(rng, content))
    config.write_bytes(
        as_json(rng, document) if rng.random() < 0.8 else json.dumps(document).encode()
    )
    before = held(folder)

    def load() -> int:
        loaded = hub.from_pretrained("up")
        assert isinstance(loaded, torch.nn.Module)
        return 0

    return refused_or_done(Child(_as_verb(load), folder, of_input()).wait(), folder, before, 0, 2)


def _as_verb(load: Callable[[], int]) -> Callable[[], object]:
    """Told as the command line tells mistakes."""
    from dysample.cli.ending import end

    return lambda: end(load)


def _records(rng: Random) -> bytes:
    runs = [
        made_run("semantic", name, seed) for name in ("bilinear", "dysample") for seed in (0, 1)
    ]
    if rng.random() < 0.6:
        place = rng.randrange(len(runs))
        runs[place] = changed(rng, runs[place])
        text = "".join(json.dumps(run) + "\n" for run in runs)
        return text.replace("\n", rng.choice(("\n", "\n", "\r\n", "\r"))).encode(
            rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16"))
        )
    return spoiled(rng, "".join(json.dumps(run) + "\n" for run in runs).encode())


def _report(rng: Random, folder: Path, made: Made) -> Outcome:
    (folder / "results.jsonl").write_bytes(_records(rng))
    before = held(folder)
    ended = Child(verb("report", "."), folder, of_input()).wait()
    outcome = refused_or_done(ended, folder, before, 0, 2)
    if held(folder)["results.jsonl"] != before["results.jsonl"]:
        outcome.faults.append("the results were changed")
    return outcome


def _append(rng: Random, folder: Path, made: Made) -> Outcome:
    """A record at the end of a damaged file: nothing that could be read before is lost."""
    from dysample.lines import parse_lines
    from dysample.workbench.results import ResultFile

    path, content = folder / "results.jsonl", _records(rng)
    path.write_bytes(content)
    before, record = held(folder), made_run("depth", "nearest", 7)

    def append() -> int:
        ResultFile(path).append(record)
        try:
            found = parse_lines(content, path)
        except ValueError:  # what nobody can read stays as it is
            assert path.read_bytes().startswith(content), "other bytes before the end"
            return 0
        after = [value for _, value in parse_lines(path.read_bytes(), path).values]
        expected = [*(value for _, value in found.values), record]
        assert json.dumps(after) == json.dumps(expected), "a record was lost, changed or doubled"
        kept = b"".join(aside.read_bytes() for aside in folder.glob("*.torn"))
        assert path.read_bytes().startswith(content[: found.end]), "other bytes before the end"
        assert not found.torn or kept == content[found.end :], "what was torn off is lost"
        return 0

    ended = Child(_as_verb(append), folder, of_input()).wait()
    outcome = refused_or_done(ended, folder, before, 0)
    if ended.code == 2:  # bytes that nobody can read
        outcome = refused_or_done(ended, folder, before | {"results.jsonl.lock": _EMPTY}, 2)
    return outcome


_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of no bytes

KINDS = (
    Kind("yaml", "bad inputs", 120, _yaml),
    Kind("checkpoint", "bad inputs", 120, _checkpoint),
    Kind("hub", "bad inputs", 120, _hub),
    Kind("report", "bad inputs", 60, _report),
    Kind("append", "bad inputs", 60, _append),
)
