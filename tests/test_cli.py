import re
import subprocess
import sys

import pytest
import torch
from torch import nn

from dysample import __version__
from dysample.cli.group import verbs
from support.layouts import LAYOUTS


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_the_verbs(arguments: list[str], dysample) -> None:
    code, out, _ = dysample(*arguments)
    assert code == 0
    assert "compare" in out
    assert "report" in out


def test_version_is_the_package_s(dysample) -> None:
    assert dysample("--version") == (0, f"dysample, version {__version__}\n", "")


def test_unknown_verb(dysample) -> None:
    dysample("comprae").check_mistake("No such command 'comprae'")


def test_report_of_a_missing_file(dysample) -> None:
    dysample("report", "nothing.jsonl").check_mistake("'nothing.jsonl' does not exist")


@pytest.mark.parametrize(
    ("verb", "how"),
    [
        ("compare", "; run the same command again to resume"),
        ("train", "; run the same command with --resume to resume"),
        ("bench", ""),
    ],
)
def test_interruption_says_how_to_go_on(monkeypatch, dysample, verb: str, how: str) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dysample.cli.verbs", interrupted)
    assert dysample(verb) == (130, "", f"dysample: stopped{how}\n")


def test_data_tells_what_is_on_disk(tmp_path, dysample) -> None:
    folder = LAYOUTS["camvid"](tmp_path / "cv")
    sheet = tmp_path / "sheet.png"
    command = ("data", f"camvid:{folder}", "--preview", sheet)
    code, out, _ = dysample(*command)
    assert code == 0
    assert "camvid (semantic)" in out
    assert sheet.stat().st_size > 1000
    (folder / "valannot" / "a.png").write_text("damaged")
    code, out, _ = dysample(*command)
    assert code == 1
    assert "val: 1 of 1 samples cannot be used" in out
    assert "valannot/a.png cannot be read" in out


def test_a_missing_library_names_the_extra(monkeypatch, dysample) -> None:
    def incomplete(**_: object) -> None:
        raise ModuleNotFoundError("No module named 'filelock'", name="filelock")

    monkeypatch.setattr("dysample.cli.verbs", incomplete)
    ended = dysample("compare")
    ended.check_mistake("dysample: error: no module filelock: pip install 'dysample[workbench]'\n")


def without(module: str, *commands: tuple[str, ...]) -> list[tuple[int, str, str]]:
    """What commands end with in another interpreter that cannot import a module."""
    ended = []
    for command in commands:
        code = (
            f"import sys; sys.modules[{module!r}] = None; sys.argv[0] = 'dysample'\n"
            "from dysample.cli import main\n"
            "main()"
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *command],
            capture_output=True,
            text=True,
            check=False,
        )
        ended.append((done.returncode, done.stdout, done.stderr))
    return ended


def test_help_and_version_are_answered_without_torch() -> None:
    helps = [(verb, "--help") for verb in verbs.commands]
    ended = without("torch", ("--version",), ("--help",), *helps)
    assert [code for code, _, _ in ended] == [0] * len(ended)
    assert ended[0][1] == f"dysample, version {__version__}\n"
    for verb, (_, out, error) in zip(verbs.commands, ended[2:]):
        assert out.lower().startswith(f"usage: dysample {verb}")
        assert error == ""
    assert without("torch", ("info",))[0][0] == 2  # the helper does take torch away


@pytest.mark.parametrize("module", ["click", "rich"])
def test_the_operators_alone_have_a_command_line(module: str) -> None:
    version, usage, nothing, info, compare, export, wrong = without(
        module,
        ("--version",),
        ("compare", "--help"),
        (),
        ("info",),
        ("compare", "--seeds", "3"),
        ("export", "carafe"),
        ("info", "more"),
    )
    assert version == (0, f"dysample, version {__version__}\n", "")
    assert usage == nothing
    assert usage[0] == 0
    assert set(verbs.commands) <= set(re.findall(r"\w+", usage[1]))
    assert info[0] == 0
    assert info[1].startswith(f"dysample            {__version__}\n")
    error = f"dysample: error: no module {module}: pip install 'dysample[{{}}]'\n"
    assert compare == (2, "", error.format("workbench"))
    assert export == (2, "", error.format("cli,export"))
    assert wrong == (2, "", error.format("cli"))


def test_info_tells_what_an_installation_is_made_of(monkeypatch, dysample) -> None:
    monkeypatch.setattr("dysample.info._version", lambda name: None if name == "ray" else "7.0")
    code, out, _ = dysample("info")
    assert code == 0
    lines = dict(re.split(r"  +", line, maxsplit=1) for line in out.splitlines())
    assert lines["dysample"] == "7.0"
    assert lines["torch"].startswith(torch.__version__)
    assert lines["extra ray"] == "missing ray"
    assert lines["extra hub"] == "huggingface-hub 7.0, safetensors 7.0"


def test_data_lists_every_name(dysample) -> None:
    code, out, _ = dysample("data", "--help")
    assert code == 0
    assert ", ".join(sorted(LAYOUTS)) in " ".join(out.split())


def test_data_of_an_unknown_name(dysample) -> None:
    message = "`data` (='camwid:.') must start with one of ade20k, binary, camvid,"
    dysample("data", "camwid:.").check_mistake(message)


def test_export_writes_a_file_and_says_how_well_it_agrees(tmp_path, dysample) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "up.onnx"
    code, out, _ = dysample("export", "bilinear", "--input", "1x3x4x6", "--output", path)
    assert code == 0
    assert "onnxruntime" in out
    assert "1x3x8x10" in out
    assert out.endswith(f"wrote {path}: opset 18, grid_sample\n")
    assert path.stat().st_size > 100


def test_export_at_an_older_opset_with_names_of_one_s_own(tmp_path, dysample) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    path = tmp_path / "up.onnx"
    arguments = ("--opset", "13", "--input-name", "low", "--output-name", "high", "--rtol", "1e-3")
    code, out, _ = dysample("export", "bilinear", *arguments, "--output", path)
    assert code == 0
    assert out.endswith(f"wrote {path}: opset 13, gather\n")
    graph = onnx.load(path).graph
    assert [value.name for value in (*graph.input, *graph.output)] == ["low", "high"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["bilineer"], "`name` (='bilineer') must be a known upsampler: did you mean bilinear"),
        (["bilinear", "--dynamic", "time"], "must hold only batch, height, width"),
        (["bilinear", "--dynamic", "height,height"], "must hold each axis once"),
        (["bilinear", "--opset", "10"], "`opset` (=10) must be at least 11"),
        (["bilinear", "--opset", "999"], "`opset` (=999) must be at most "),
        (["bilinear", "--opset", "13", "--no-verify"], "`verify` (=False) must be True or "),
        (["bilinear", "--input-name", "output"], "`output_names` (=['output']) must not be those"),
        (["bilinear", "--rtol", "2"], "`rtol` (=2.0) must be below 1"),
        (["carafe", "--input", "1x64x4x4", "--input", "2x3x8x8"], "`args` must be what the model"),
    ],
)
def test_export_names_a_mistake(arguments: list[str], error: str, dysample) -> None:
    dysample("export", *arguments).check_mistake(error)


def test_sites_of_a_model(monkeypatch, dysample, tmp_path) -> None:
    (tmp_path / "two_steps.py").write_text(
        "from torch import nn\n"
        "def build():\n"
        "    up = nn.Upsample(scale_factor=2)\n"
        "    steps = [nn.Conv2d(3, 6, 1), up, nn.Conv2d(6, 2, 1), nn.Upsample(scale_factor=2)]\n"
        "    return nn.Sequential(*steps)\n"
        "def Conv1():\n"
        "    return nn.Conv2d(1, 1, 1)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *sys.path])
    size = ("--height", "8", "--width", "12")
    code, out, _ = dysample("sites", "two_steps:build", *size)
    assert code == 0
    found = out.splitlines()[2:]
    assert found[0] == "upsamples features (torch.Upsample)"
    assert found[1].split() == ["1", "6", "8x12", "16x24", "nearest", "1"]
    assert found[2].startswith("left alone: logits or masks")
    code, out, _ = dysample("sites", "two_steps:build", *size, "--upsampler", "dysample")
    assert code == 0
    assert "refused: `groups` (=4) must divide in_channels (=6)" in out
    for arguments, message in (
        (["two_steps"], "a file that exists, or package.module:factory"),
        (
            ["two_steps:Conv1", *size],
            "two_steps:Conv1 does not run on 8x12: in eval mode Conv2d raises RuntimeError: ",
        ),
        (
            ["two_steps:build", "--height", "9999999999"],
            "`--height, --width` (=1x3x9999999999x256) must fit into",
        ),
    ):
        dysample("sites", *arguments).check_mistake(message)


def test_sites_of_a_checkpoint_in_half_precision(dysample, tmp_path) -> None:
    steps = [nn.Conv2d(3, 6, 1), nn.Upsample(scale_factor=2), nn.Conv2d(6, 2, 1)]
    path = tmp_path / "best.pt"
    torch.save({"epoch": -1, "model": None, "ema": nn.Sequential(*steps).half()}, path)
    code, out, _ = dysample("sites", path, "--height", "8", "--width", "12", "--trust")
    assert code == 0
    assert "upsamples features (torch.Upsample)" in out
    dysample("sites", path).check_mistake("must be trusted")
