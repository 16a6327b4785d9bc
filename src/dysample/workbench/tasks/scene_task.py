"""Tasks that learn from samples of an image and a target."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from dysample.workbench.data.scene_set import Sample, SceneSet, describe_scenes, load_scene_sets
from dysample.workbench.data.targets import Kind
from dysample.workbench.settings import Settings
from dysample.workbench.tasks.base import Task


class SceneTask(Task):
    """A task on the embedded scenes; one more hook, `batch`."""

    kind: ClassVar[Kind]
    """Of the targets, and the task's name."""

    @staticmethod
    @abstractmethod
    def batch(samples: list[Sample]) -> Any:
        """What `losses` and `update` take, of samples as in `scene_set`."""

    @classmethod
    def describe(cls, data: str, settings: Settings) -> dict[str, Any]:
        """As `describe_scenes`."""
        return describe_scenes(data, settings, cls.kind)

    @classmethod
    def load(
        cls, data: str, settings: Settings, progress: Callable[[int, int], None] | None = None
    ) -> tuple[SceneSet, SceneSet]:
        """As `load_scene_sets`."""
        return load_scene_sets(cls.describe(data, settings), cls.batch, progress)
