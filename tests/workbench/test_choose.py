import pytest

from dysample.workbench.choose import UpsamplerSpec, choose_tasks, choose_upsamplers


def test_choose_tasks() -> None:
    assert choose_tasks("depth, semantic,depth") == ["depth", "semantic"]
    assert choose_tasks("all") == ["semantic", "detection", "instance", "panoptic", "depth"]


def test_choose_upsamplers() -> None:
    assert choose_upsamplers("bilinear, nearest,bilinear") == [
        UpsamplerSpec("bilinear"),
        UpsamplerSpec("nearest"),
    ]
    assert [choice.name for choice in choose_upsamplers("dysample_s*")] == [
        "dysample_s",
        "dysample_s_plus",
        *(f"dysample_step_{step}" for step in range(5)),
    ]
    every = choose_upsamplers("all")
    assert UpsamplerSpec("carafe") in every
    assert not any(choice.name.startswith("dysample_step") for choice in every)


def test_upsamplers_with_options() -> None:
    text = "dysample(groups=8, style='pl'),bilinear, dysample(groups=8),dysample"
    chosen = choose_upsamplers(text)
    assert chosen == [
        UpsamplerSpec("dysample", {"groups": 8, "style": "pl"}),
        UpsamplerSpec("bilinear"),
        UpsamplerSpec("dysample", {"groups": 8}),
        UpsamplerSpec("dysample"),
    ]
    assert [choice.label for choice in chosen] == [
        "dysample(groups=8, style='pl')",
        "bilinear",
        "dysample(groups=8)",
        "dysample",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "dysample(8)",
        "dysample(groups=)",
        "dysample(groups=8",
        "dysample(groups=open('x'))",  # literals alone, nothing is run
        "dysample(**{})()",
        "dysample(**{'groups': 8})",
        "dysample(groups=8, groups=4)",
        "dysample(groups={[]: 1})",
        "dysample" + 2000 * "(",
        f"dysample(groups={2000 * '-'}1)",
    ],
)
def test_options_of_another_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"`upsamplers` \(=.*\) must be like NAME\(option=1"):
        choose_upsamplers(text)
    with pytest.raises(ValueError, match=r"`upsampler` \(=.*\) must be like NAME\(option=1"):
        UpsamplerSpec.parse(text)


def test_an_unknown_name_with_options() -> None:
    with pytest.raises(ValueError, match=r"in `upsamplers`: .* did you mean dysample"):
        choose_upsamplers("dysampel(groups=8)")
    with pytest.raises(ValueError, match=r"in `upsampler`: .* did you mean dysample"):
        UpsamplerSpec.parse("dysampel")
    with pytest.raises(TypeError, match=r"`upsampler` \(=3\) must be text, such as"):
        UpsamplerSpec.parse(3)


def test_a_label_is_what_is_parsed() -> None:
    text = "dysample(a=(1, [2, 3]), b={'c,(': None}, d=0.5)"
    spec = UpsamplerSpec.parse(text)
    assert spec.options == {"a": (1, [2, 3]), "b": {"c,(": None}, "d": 0.5}
    assert spec.label == text
    assert choose_upsamplers(f"nearest,dysample(x=1,y=(2,3)),{spec.name}(a=2)") == [
        UpsamplerSpec("nearest"),
        UpsamplerSpec("dysample", {"x": 1, "y": (2, 3)}),
        UpsamplerSpec("dysample", {"a": 2}),
    ]


def test_options_that_json_cannot_hold_are_named() -> None:
    for value, reason in ((float("nan"), "Out of range float"), ({1}, "type set")):
        with pytest.raises((ValueError, TypeError), match=f"`upsampler` .* must .*{reason}"):
            UpsamplerSpec("dysample", {"groups": value})
