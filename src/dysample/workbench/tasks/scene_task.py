"""Tasks that learn from samples of an image and a target."""

from collections.abc import Callable
from typing import Any

from dysample.workbench.data.scene_set import SceneSet, describe_scenes, load_scene_sets
from dysample.workbench.settings import Settings
from dysample.workbench.tasks.base import Task


class SceneTask(Task):
    """A task on the embedded scenes."""

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
