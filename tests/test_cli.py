import re
import subprocess
import sys

import pytest
import torch
from torch import nn

from dysample import __version__
from dysample.cli import main
from dysample.cli.group import verbs
from support.layouts import LAYOUTS


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["dysample", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code or 0


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_the_verbs(arguments: list[str], monkeypatch, capsys) -> None:
    assert run(monkeypatch, *arguments) == 0
    out = capsys.readouterr().out
    assert "compare" in out
    assert "report" in out


def test_version_is_the_package_s(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"dysample, version {__version__}\n"


def test_unknown_verb(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "comprae") == 2
    assert "No such command 'comprae'" in capsys.readouterr().err


def test_report_of_a_missing_file(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "report", "nothing.jsonl") == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("verb", "how"),
    [
        ("compare", "; run the same command again to resume"),
        ("train", "; run the same command with --resume to resume"),
        ("bench", ""),
    ],
)
def test_interruption_says_how_to_go_on(monkeypatch, capsys, verb: str, how: str) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dysample.cli.verbs", interrupted)
    assert run(monkeypatch, verb) == 130
    assert capsys.readouterr().err == f"dysample: stopped{how}\n"


def test_data_tells_what_is_on_disk(tmp_path, monkeypatch, capsys) -> None:
    folder = LAYOUTS["camvid"](tmp_path / "cv")
    sheet = tmp_path / "sheet.png"
    assert run(monkeypatch, "data", f"camvid:{folder}", "--preview", str(sheet)) == 0
    assert "camvid (semantic)" in capsys.readouterr().out
    assert sheet.stat().st_size > 1000
    (folder / "valannot" / "a.png").write_text("damaged")
    assert run(monkeypatch, "data", f"camvid:{folder}", "--preview", str(sheet)) == 1
    out = capsys.readouterr().out
    assert "val: 1 of 1 samples cannot be used" in out
    assert "valannot/a.png cannot be read" in out


def test_a_missing_library_names_the_extra(monkeypatch, capsys) -> None:
    def incomplete(**_: object) -> None:
        raise ModuleNotFoundError("No module named 'filelock'", name="filelock")

    monkeypatch.setattr("dysample.cli.verbs", incomplete)
    assert run(monkeypatch, "compare") == 2
    assert (
        capsys.readouterr().err
        == "dysample: error: no module filelock: pip install 'dysample[workbench]'\n"
    )


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


def test_info_tells_what_an_installation_is_made_of(monkeypatch, capsys) -> None:
    monkeypatch.setattr("dysample.info._version", lambda name: None if name == "ray" else "7.0")
    assert run(monkeypatch, "info") == 0
    lines = dict(
        re.split(r"  +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines()
    )
    assert lines["dysample"] == "7.0"
    assert lines["torch"].startswith(torch.__version__)
    assert lines["extra ray"] == "missing ray"
    assert lines["extra hub"] == "huggingface-hub 7.0, safetensors 7.0"


def test_data_lists_every_name(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "data", "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert ", ".join(sorted(LAYOUTS)) in text


def test_data_of_an_unknown_name(monkeypatch, capsys) -> None:
    assert run(monkeypatch, "data", "camwid:.") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "`data` (='camwid:.') must start with one of ade20k, binary, camvid," in error


def test_export_writes_a_file_and_says_how_well_it_agrees(tmp_path, monkeypatch, capsys) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "up.onnx"
    arguments = ("--input", "1x3x4x6", "--output", str(path))
    assert run(monkeypatch, "export", "bilinear", *arguments) == 0
    out = capsys.readouterr().out
    assert "onnxruntime" in out
    assert "1x3x8x10" in out
    assert out.endswith(f"wrote {path}: opset 18, grid_sample\n")
    assert path.stat().st_size > 100


def test_export_at_an_older_opset_with_names_of_one_s_own(tmp_path, monkeypatch, capsys) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    path = tmp_path / "up.onnx"
    arguments = ("--opset", "13", "--input-name", "low", "--output-name", "high", "--rtol", "1e-3")
    assert run(monkeypatch, "export", "bilinear", *arguments, "--output", str(path)) == 0
    assert capsys.readouterr().out.endswith(f"wrote {path}: opset 13, gather\n")
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
def test_export_names_a_mistake(arguments: list[str], error: str, monkeypatch, capsys) -> None:
    assert run(monkeypatch, "export", *arguments) == 2
    text = capsys.readouterr().err
    assert error in text
    assert text.count("\n") == 1


def test_sites_of_a_model(monkeypatch, capsys, tmp_path) -> None:
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
    assert run(monkeypatch, "sites", "two_steps:build", *size) == 0
    found = capsys.readouterr().out.splitlines()[2:]
    assert found[0] == "upsamples features (torch.Upsample)"
    assert found[1].split() == ["1", "6", "8x12", "16x24", "nearest", "1"]
    assert found[2].startswith("left alone: logits or masks")
    assert run(monkeypatch, "sites", "two_steps:build", *size, "--upsampler", "dysample") == 0
    assert "refused: `groups` (=4) must divide in_channels (=6)" in capsys.readouterr().out
    assert run(monkeypatch, "sites", "two_steps") == 2
    assert "a file that exists, or package.module:factory" in capsys.readouterr().err
    assert run(monkeypatch, "sites", "two_steps:Conv1", *size) == 2
    error = capsys.readouterr().err
    assert (
        "two_steps:Conv1 does not run on 8x12: in eval mode Conv2d raises RuntimeError: " in error
    )
    assert error.count("\n") == 1
    assert run(monkeypatch, "sites", "two_steps:build", "--height", "9999999999") == 2
    assert "`--height, --width` (=1x3x9999999999x256) must fit into" in capsys.readouterr().err


def test_sites_of_a_checkpoint_in_half_precision(monkeypatch, capsys, tmp_path) -> None:
    steps = [nn.Conv2d(3, 6, 1), nn.Upsample(scale_factor=2), nn.Conv2d(6, 2, 1)]
    path = tmp_path / "best.pt"
    torch.save({"epoch": -1, "model": None, "ema": nn.Sequential(*steps).half()}, path)
    assert run(monkeypatch, "sites", str(path), "--height", "8", "--width", "12", "--trust") == 0
    assert "upsamples features (torch.Upsample)" in capsys.readouterr().out
    assert run(monkeypatch, "sites", str(path)) == 2
    assert "must be trusted" in capsys.readouterr().err
