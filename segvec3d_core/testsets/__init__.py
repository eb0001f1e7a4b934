"""Fixed test sets of simulated scenes, with shapes that training never sees."""

from .archives import shapes_folder
from .sets import SCENES, SETS, SetName
from .shapes import fetch_shapes, load_shapes
from .write import fingerprint, preview_set, write_set

__all__ = [
    "SCENES", "SETS", "SetName", "fetch_shapes", "fingerprint", "load_shapes", "preview_set", "shapes_folder",
    "write_set",
]  # fmt: skip
