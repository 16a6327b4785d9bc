"""The eight classes of the scenes. A class id is its position in `CLASSES`."""

CLASSES: tuple[str, ...] = (
    "floor",
    "wall",
    "ceiling",
    "box",
    "ball",
    "cylinder",
    "pole",
    "fence",
)
THINGS: tuple[str, ...] = CLASSES[3:]

FLOOR, WALL, CEILING, BOX, BALL, CYLINDER, POLE, FENCE = range(len(CLASSES))
