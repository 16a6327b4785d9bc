import pytest

from dysample.workbench.choose import Choice, choose_tasks, choose_upsamplers


def test_choose_tasks() -> None:
    assert choose_tasks("depth, semantic,depth") == ["depth", "semantic"]
    assert choose_tasks("all") == ["semantic", "detection", "instance", "panoptic", "depth"]


def test_choose_upsamplers() -> None:
    assert choose_upsamplers("bilinear, nearest,bilinear") == [
        Choice("bilinear"),
        Choice("nearest"),
    ]
    assert [choice.name for choice in choose_upsamplers("dysample_s*")] == [
        "dysample_s",
        "dysample_s_plus",
        *(f"dysample_step_{step}" for step in range(5)),
    ]
    every = choose_upsamplers("all")
    assert Choice("carafe") in every
    assert not any(choice.name.startswith("dysample_step") for choice in every)


def test_upsamplers_with_options() -> None:
    text = "dysample(groups=8, style='pl'),bilinear, dysample(groups=8),dysample"
    chosen = choose_upsamplers(text)
    assert chosen == [
        Choice("dysample", {"groups": 8, "style": "pl"}),
        Choice("bilinear"),
        Choice("dysample", {"groups": 8}),
        Choice("dysample"),
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
    ],
)
def test_options_of_another_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"`upsamplers` \(=.*\) must be like NAME\(option=1"):
        choose_upsamplers(text)


def test_an_unknown_name_with_options() -> None:
    with pytest.raises(ValueError, match="did you mean dysample"):
        choose_upsamplers("dysampel(groups=8)")
