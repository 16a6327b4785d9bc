"""The monitor in a real training of Lightning's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dysample import CARAFE, DySample

lightning = pytest.importorskip("lightning.pytorch")
UpsamplerMonitor = pytest.importorskip("dysample.lightning").UpsamplerMonitor


class Model(lightning.LightningModule):
    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.net = nn.Sequential(nn.Conv2d(3, 8, 1), DySample(8), CARAFE(8))

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        return self.net(batch).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.rate)


def trained(model: Model, monitor: UpsamplerMonitor, **options: object) -> lightning.Trainer:
    trainer = lightning.Trainer(
        **options,
        max_steps=5, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[monitor],
    )  # fmt: skip
    trainer.fit(model, torch.utils.data.DataLoader(list(torch.randn(5, 3, 4, 4)), batch_size=1))
    return trainer


pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec:FutureWarning"),
]


def test_it_logs_every_site_every_so_many_batches() -> None:
    monitor, model, seen = UpsamplerMonitor(every=2), Model(1e-3), []
    usual = model.log_dict
    model.log_dict = lambda values: (
        seen.append((model.trainer.global_step, values)),
        usual(values),
    )
    trainer = trained(model, monitor)
    assert [step for step, _ in seen] == [1, 1, 3, 3, 5, 5]
    assert list(seen[0][1]) == [
        f"upsampler/net.1/{name}" for name in ("mean_offset", "max_offset", "outside")
    ]
    assert list(seen[1][1]) == ["upsampler/net.2/entropy"]
    assert trainer.logged_metrics["upsampler/net.2/entropy"] == pytest.approx(1, abs=0.01)
    assert [reading.site for reading in monitor.readings] == ["net.1", "net.2"]
    assert not any(module._forward_hooks for module in model.modules())


def test_it_warns_once_a_site() -> None:
    model = Model(1e-9)
    with torch.no_grad():
        model.net[1].offset.bias.fill_(20)
    with pytest.warns(
        UserWarning, match=r"net\.1 \(DySample\): offsets .*: try a smaller"
    ) as found:
        trained(model, UpsamplerMonitor(every=1))
    assert sum("try a smaller" in str(one.message) for one in found) == 1


def test_an_error_in_training_leaves_no_hooks() -> None:
    model = Model(1e-3)
    model.training_step = lambda batch: model.net(batch)[:, :, :0].view(7)
    monitor = UpsamplerMonitor()
    with pytest.raises(RuntimeError, match="shape"):
        trained(model, monitor)
    assert not any(module._forward_hooks for module in model.modules())
    assert not monitor._open


def test_an_epoch_that_ends_at_the_start_of_a_batch_leaves_no_hooks() -> None:
    model = Model(1e-3)
    model.on_train_batch_start = lambda batch, index: -1 if index == 2 else None
    seen = []
    model.on_train_end = lambda: seen.append(model.trainer.global_step)
    trained(model, UpsamplerMonitor(every=1), max_epochs=1)
    assert seen == [2]
    assert not any(module._forward_hooks for module in model.modules())


def test_watching_changes_nothing_under_autocast() -> None:
    weights = []
    for every in (1, 100):
        torch.manual_seed(0)
        model = Model(1e-2)
        model.net.append(nn.BatchNorm2d(8))
        monitor = UpsamplerMonitor(every)
        trained(model, monitor, precision="bf16-mixed")
        assert [reading.site for reading in monitor.readings] == ["net.1", "net.2"]
        weights.append(model.state_dict())
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    assert not torch.equal(weights[0]["net.0.weight"], Model(1).net[0].weight)


def test_a_shared_upsampler_is_read_at_every_call() -> None:
    model, monitor = Model(1e-3), UpsamplerMonitor(every=1)
    model.net[2] = model.net[1]
    trained(model, monitor)
    assert [reading.site for reading in monitor.readings] == ["net.1", "net.1"]


def test_a_compiled_model_is_read() -> None:
    model, monitor = Model(1e-3), UpsamplerMonitor(every=2)
    model.net.compile(backend="eager")
    trained(model, monitor)
    assert [reading.site for reading in monitor.readings] == ["net.1", "net.2"]


@pytest.mark.parametrize("every", [0, -1, 1.5, "x"])
def test_every_must_be_a_positive_integer(every: object) -> None:
    with pytest.raises((TypeError, ValueError), match="`every`"):
        UpsamplerMonitor(every)
