"""Tasks that learn from samples of an image and a target."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from dysample.workbench.data.scene_set import Sample, SceneSet, describe_scenes, load_scene_sets
from dysample.workbench.settings import Settings
from dysample.workbench.tasks.base import Task


class SceneTask(Task):
    """A task on the embedded scenes; one more hook, `batch`."""

    @staticmethod
    @abstractmethod
    def batch(samples: list[Sample]) -> Any:
        """What `losses` and `update` take, of samples as in `scene_set`."""

    @staticmethod
    def describe(data: str, settings: Settings) -> dict[str, Any]:
        """As `describe_scenes`."""
        return describe_scenes(data, settings)

    @classmethod
    def load(
        cls, data: str, settings: Settings, progress: Callable[[int, int], None] | None = None
    ) -> tuple[SceneSet, SceneSet]:
        """As `load_scene_sets`."""
        return load_scene_sets(describe_scenes(data, settings), cls.batch, progress)
