from dysample.workbench.choose import choose_tasks, choose_upsamplers


def test_choose_tasks() -> None:
    assert choose_tasks("depth, semantic,depth") == ["depth", "semantic"]
    assert choose_tasks("all") == ["semantic", "detection", "instance", "panoptic", "depth"]


def test_choose_upsamplers() -> None:
    assert choose_upsamplers("bilinear, nearest,bilinear") == ["bilinear", "nearest"]
    assert choose_upsamplers("dysample_s*") == ["dysample_s", "dysample_s_plus"] + [
        f"dysample_step_{step}" for step in range(5)
    ]
    every = choose_upsamplers("all")
    assert "carafe" in every
    assert not any(name.startswith("dysample_step") for name in every)
