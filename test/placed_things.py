"""Hand-made scenes of boxes whose places are known, and an encoder that knows their names, for tests of queries."""

from collections.abc import Sequence

import numpy as np

from segvec3d_core.matching import answer
from segvec3d_core.query import interpret
from segvec3d_core.relations import View
from segvec3d_core.types import Box, Scene, SceneObject

UP = np.array([0, 0, 1], np.float32)
CAMERA = np.array([0, -1.5, 0.6], np.float32)  # looks along +y, so that left is -x

# name: centre and size, metres; the table top is at z = 0
THINGS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "table": ((0, 0, -0.01), (1.2, 0.8, 0.02)),
    "laptop": ((0, 0, 0.01), (0.3, 0.22, 0.02)),
    "big box": ((-0.4, 0.1, 0.1), (0.2, 0.2, 0.2)),
    "small box": ((0.4, 0.0, 0.05), (0.1, 0.1, 0.1)),
    "tall box": ((0.3, 0.3, 0.15), (0.06, 0.06, 0.3)),
    "red mug": ((-0.4, 0.1, 0.25), (0.08, 0.08, 0.1)),  # on the big box
    "blue mug": ((0.28, 0.02, 0.05), (0.08, 0.08, 0.1)),  # next to the small box
    "bowl": ((0.0, -0.3, 0.04), (0.16, 0.16, 0.08)),
    "ball": ((0.0, -0.3, 0.05), (0.06, 0.06, 0.06)),  # in the bowl
    "bottle": ((-0.2, 0.0, 0.12), (0.07, 0.07, 0.24)),  # left of the laptop
}
NAMES = tuple(THINGS)


def scene(viewpoint: np.ndarray | None = CAMERA, up: np.ndarray | None = UP) -> Scene:
    objects = tuple(
        SceneObject(
            "surface" if name == "table" else "object", 0.9,
            Box(np.array(center, np.float32), np.eye(3, dtype=np.float32), np.array(size, np.float32)),
            np.array(center, np.float32), np.zeros(4, np.float32), None, 100,
        )
        for name, (center, size) in THINGS.items()
    )  # fmt: skip
    return Scene(np.zeros(0, np.int32), objects, {}, viewpoint, up)


def knows_names(texts: Sequence[str]) -> np.ndarray:
    """Similarities of an encoder that is right: all words of the text are in the thing's name."""
    table = np.zeros((len(NAMES), len(texts)), np.float32)
    for t, text in enumerate(texts):
        asked = set(text.split()) - {"thing"}
        for k, name in enumerate(NAMES):
            table[k, t] = 0.95 if asked <= set(name.split()) else 0.02
    return table


def ask(text: str, where: Scene | None = None, view: View | None = None) -> list[str]:
    """The names of the objects that fit, the best first and as many as the text asks for."""
    query = interpret(text)
    found = answer(query, where or scene(), knows_names, 0.5, view)
    return [NAMES[k] for k in found.order[: query.count] if found.similarity[k] >= 0.5]


def cubes(*places: tuple[float, float, float]) -> tuple[SceneObject, ...]:
    boxes = [Box(np.array(p, np.float32), np.eye(3, dtype=np.float32), np.full(3, 0.08, np.float32)) for p in places]
    return tuple(SceneObject("object", 0.9, box, box.center, np.zeros(4, np.float32), None, 9) for box in boxes)
