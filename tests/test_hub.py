"""Models in folders and on the hub: what is saved is what is loaded, or it is refused by name."""

from __future__ import annotations

import json
import pickle
import runpy
import sys
from pathlib import Path

import pytest
import torch

import dysample
from dysample import hub
from dysample.nn import DySample, Nearest
from dysample.registry import _ENTRIES, register_upsampler
from support.upsamplers import NAMES, features, guide_for, lively

pytest.importorskip("safetensors")


def saved(folder: Path, name: str = "dysample_plus") -> dysample.Upsampler:
    up = lively(name)
    hub.save_pretrained(up, folder)
    return up


@pytest.mark.parametrize("name", NAMES)
def test_every_upsampler_comes_back(name: str, tmp_path: Path) -> None:
    up, x = saved(tmp_path / "up", name), features()
    guide = guide_for(up, x)
    back = hub.from_pretrained(tmp_path / "up")
    assert type(back) is type(up)
    assert str(back) == str(up)
    assert not back.training
    assert torch.equal(back(x, guide), up(x, guide))


def test_options_come_back(tmp_path: Path) -> None:
    up = dysample.CARAFE(8, 3, 3, encoder_kernel=5, compressed_channels=6, out_channels=4).half()
    hub.save_pretrained(up, tmp_path)
    back = hub.from_pretrained(tmp_path)
    assert str(back) == str(up)
    assert next(back.parameters()).dtype == torch.float16
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model"] == "CARAFE"
    assert config["encoder_kernel"] == 5
    assert config["up_group"] == 1  # a default


def test_the_bias_of_an_older_checkpoint_comes_back(tmp_path: Path) -> None:
    up = DySample(8, dyscope=True)
    up.load_state_dict({**up.state_dict(), "scope.bias": torch.ones(32)})
    hub.save_pretrained(up, tmp_path)
    assert torch.equal(hub.from_pretrained(tmp_path).scope.bias, torch.ones(32))


def test_a_copy_knows_its_arguments_too() -> None:
    up = pickle.loads(pickle.dumps(DySample(8, 3, groups=2)))
    assert up.arguments == ((8, 3), {"groups": 2})


def test_a_class_of_ones_own(tmp_path: Path) -> None:
    class Mine(Nearest):
        def __init__(self, in_channels: int, scale_factor: float = 2, *, twist: int = 1) -> None:
            super().__init__(in_channels, scale_factor)
            self.twist = twist

    hub.save_pretrained(Mine(4, twist=3), tmp_path)
    with pytest.raises(ValueError, match=r"config.json` names the model 'Mine', which must be one"):
        hub.from_pretrained(tmp_path)
    try:
        register_upsampler("mine", Mine)
        assert hub.from_pretrained(tmp_path).twist == 3
    finally:
        _ENTRIES.pop("mine", None)


@pytest.mark.parametrize("cut", [1, 7, 500])
def test_truncated_weights_are_refused_by_name(cut: int, tmp_path: Path) -> None:
    saved(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ValueError, match=r"model.safetensors` must have the SHA-256") as error:
        hub.from_pretrained(tmp_path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_changed_bit_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    path = tmp_path / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="truncated or changed"):
        hub.from_pretrained(tmp_path)


def without(path: Path, *keys: str, **changes) -> None:
    """Rewrite the config."""
    config = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in {**config, **changes}.items() if k not in keys}))


def test_without_a_digest_the_format_still_tells(tmp_path: Path) -> None:
    saved(tmp_path)
    without(tmp_path / "config.json", "sha256")
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ValueError, match=r"model.safetensors` must hold safetensors: "):
        hub.from_pretrained(tmp_path)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    for channels in (64, 10**9):  # the latter without taking its memory, see test_fitting.py
        without(tmp_path / "config.json", in_channels=channels)
        with pytest.raises(
            ValueError, match=r"safetensors` must hold the weights of config.*size"
        ) as error:
            hub.from_pretrained(tmp_path)
        assert "\n" not in str(error.value)


def test_what_constructors_do_not_expect_is_refused_by_name(tmp_path: Path) -> None:
    class Mine(Nearest):
        def __init__(self, in_channels: int, scale_factor: float = 2, *, table: object) -> None:
            super().__init__(in_channels, scale_factor)
            self.first = table["first"][0]

    try:
        register_upsampler("mine", Mine)
        hub.save_pretrained(Mine(4, table={"first": [1]}), tmp_path)
        assert hub.from_pretrained(tmp_path).first == 1
        for table, said in (({}, "'first'"), ({"first": []}, "index out of range"), (5, "not sub")):
            without(tmp_path / "config.json", table=table)
            with pytest.raises(ValueError, match=f"must hold arguments of Mine: .*{said}"):
                hub.from_pretrained(tmp_path)
    finally:
        _ENTRIES.pop("mine", None)


def test_links_and_devices_in_a_folder(tmp_path: Path) -> None:
    up = saved(tmp_path / "up")
    link = tmp_path / "link"
    link.mkdir()
    for name in ("config.json", "model.safetensors"):  # as in the hub's own cache
        (link / name).symlink_to(tmp_path / "up" / name)
    assert str(hub.from_pretrained(link)) == str(up)
    for target, error, said in (
        ("model.safetensors", FileNotFoundError, "must exist"),  # itself
        ("/dev/zero", FileNotFoundError, "must exist"),
        ("/proc/self/mem", ValueError, "cannot be read"),
    ):
        (link / "model.safetensors").unlink()
        (link / "model.safetensors").symlink_to(target)
        with pytest.raises(error, match=rf"link/model.safetensors` {said}"):
            hub.from_pretrained(link)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 8, b"\xff" * 64, b"\x02" + b"\0" * 7 + b"{}", b"\x04" + b"\0" * 7 + b"[[]]"],
)
def test_weights_that_are_none(content: bytes, tmp_path: Path) -> None:
    saved(tmp_path)
    without(tmp_path / "config.json", "sha256")
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"model.safetensors` must hold ") as error:
        hub.from_pretrained(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", r"config.json` must hold JSON: "),
        ("[]", r"config.json` must hold a JSON object, not list"),
        ("{}", r"config.json` names the model None, which must be one of A2U, "),
        ('{"model": "DySample"}', r"config.json` must hold arguments of DySample: .*in_channels"),
        ('{"model": "os.system", "command": "x"}', r"names the model 'os.system'"),
        ('{"model": ["DySample"]}', r"names the model \['DySample'\]"),
        ('{"model": "DySample", "in_channels": NaN}', r"must hold JSON: NaN is no number of JSON"),
        ('{"model": "DySample", "in_channels": -Infinity}', r"must hold JSON: -Infinity"),
        ('{"model": "DySample", "in_channels": 1e999}', r"`in_channels` \(=inf\) must be an int"),
        ('{"model": "DySample", "in_channels": "8"}', r"`in_channels` \(='8'\) must be an int"),
        ('{"model": "DySample", "in_channels": ' + "9" * 5000 + "}", r"config.json` must hold "),
        ("[" * 100_000, r"config.json` must hold JSON: maximum recursion"),
        ("\xff{}", r"config.json` must hold JSON: 'utf-8' codec"),
        (" " * 2**20 + "{}", r"config.json` must have at most 1048576 bytes"),
    ],
    ids=lambda value: value[:40],
)
def test_a_bad_config_is_refused(text: str, match: str, tmp_path: Path) -> None:
    saved(tmp_path)
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=match) as error:
        hub.from_pretrained(tmp_path)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    up = saved(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(up.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(
        FileNotFoundError, match=r"safetensors` must exist: pickled weights are not"
    ):
        hub.from_pretrained(tmp_path)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must be a folder that exists, or `owner/name`"):
        hub.from_pretrained(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"must be a folder"):
        hub.from_pretrained("nothing")


def test_other_modules_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^`model` \(a Linear\) must be an upsampler, or made by"):
        hub.save_pretrained(torch.nn.Linear(2, 2), tmp_path)


def test_a_pruned_upsampler_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    up = DySample(8)
    up.offset.weight = torch.nn.Parameter(up.offset.weight[:, :4].detach())
    match = r"^`offset.weight` shape \(=\(32, 4, 1, 1\)\) must be \(32, 8, 1, 1\), as its arguments"
    with pytest.raises(ValueError, match=match):
        hub.save_pretrained(up, tmp_path / "up")
    assert not (tmp_path / "up").exists()


def test_a_model_of_the_workbench(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    arguments = {"upsampler": "dysample", "options": {"groups": 8}, "classes": 3, "seed": 0}
    model = hub.create_model("segformer", name="b0", **arguments).eval()
    hub.save_pretrained(model, tmp_path)
    back, image = hub.from_pretrained(tmp_path), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(back(image), model(image))
    with pytest.raises(TypeError, match=r"^segformer: missing a required argument"):
        hub.create_model("segformer")
    with pytest.raises(ValueError, match=r"^`model` \(='unet'\) must be one of maskformer, rcnn"):
        hub.create_model("unet")


def test_the_hub_s_own_mixin_reads_what_we_write(tmp_path: Path) -> None:
    mixin = pytest.importorskip("huggingface_hub").PyTorchModelHubMixin

    class Shared(DySample, mixin):
        pass

    up, x = saved(tmp_path / "ours", "dysample"), features()
    back = Shared.from_pretrained(str(tmp_path / "ours")).double()
    assert torch.allclose(back(x), up(x), atol=1e-6)  # theirs is loaded in float32
    theirs = Shared(32, groups=2).eval()
    theirs.save_pretrained(tmp_path / "theirs")
    config = tmp_path / "theirs" / "config.json"
    assert json.loads(config.read_text())["groups"] == 2
    with pytest.raises(ValueError, match="names the model None"):
        hub.from_pretrained(tmp_path / "theirs")
    without(config, model="DySample")
    back = hub.from_pretrained(tmp_path / "theirs")
    assert torch.equal(back(x.float()), theirs(x.float()))


def test_pushing_uploads_the_folder(tmp_path: Path, monkeypatch) -> None:
    library = pytest.importorskip("huggingface_hub")
    calls: list[tuple] = []

    class Api:
        def __init__(self, **about: str) -> None:
            assert about["library_name"] == "dysample"

        def create_repo(self, repo: str, *, private: bool, exist_ok: bool) -> None:
            calls.append(("create", repo, private, exist_ok))

        def upload_folder(self, *, repo_id: str, folder_path: str):
            calls.append(("upload", repo_id, sorted(p.name for p in Path(folder_path).iterdir())))
            return type("Commit", (), {"commit_url": "https://hub/commit"})

    monkeypatch.setattr(library, "HfApi", Api)
    assert hub.push_to_hub(DySample(8), "me/up", private=True) == "https://hub/commit"
    assert calls == [
        ("create", "me/up", True, True),
        ("upload", "me/up", ["README.md", "config.json", "model.safetensors"]),
    ]


def test_the_hub_is_asked_for_two_files_alone(tmp_path: Path, monkeypatch) -> None:
    library = pytest.importorskip("huggingface_hub")
    up = saved(tmp_path)

    def download(repo: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        assert (repo, revision) == ("me/up", "v1")
        assert allow_patterns == ["config.json", "model.safetensors"]
        return str(tmp_path)

    monkeypatch.setattr(library, "snapshot_download", download)
    assert str(hub.from_pretrained("me/up", revision="v1")) == str(up)


def test_torch_hub_of_a_checkout(tmp_path: Path, monkeypatch) -> None:
    checkout = Path(__file__).parents[1]
    monkeypatch.setattr("sys.path", list(sys.path))
    up = torch.hub.load(str(checkout), "dysample_plus", 8, source="local")
    assert str(up) == str(dysample.create_upsampler("dysample_plus", 8))
    hub.save_pretrained(up, tmp_path)
    back = torch.hub.load(str(checkout), "from_pretrained", tmp_path, source="local")
    assert str(back) == str(up)
    # What torch.hub.list shows, and torch.hub.help prints.
    entries = runpy.run_path(str(checkout / "hubconf.py"))
    shown = {name for name, value in entries.items() if callable(value) and name[0] != "_"}
    assert shown == {*NAMES, "from_pretrained"}
    assert "dynamic scope" in entries["dysample_plus"].__doc__
