"""ScanObjectNN: real scans of single objects, 2,048 points each, y up, as HDF5 (needs h5py).

test_objectdataset.h5                         data (S, 2048, 3), label (S,); with background in main_split/,
test_objectdataset_augmentedrot_scale75.h5    without it in main_split_nobg/; the second is PB_T50_RS, the hardest
"""

from __future__ import annotations

from pathlib import Path

from .modelnet import ShapeSet

CLASSES = (
    "bag", "bin", "box", "cabinet", "chair", "desk", "display", "door", "shelf", "table", "bed", "pillow", "sink",
    "sofa", "toilet",
)  # fmt: skip
"""Names of the classes, by label, as published."""


def scanobjectnn(folder: str | Path) -> ShapeSet | None:
    """The test shapes of one split's folder, or of one of its .h5 files; None if there are none.

    If a folder holds several variants, the plain one is used; pass a file for another.
    """
    path = Path(folder)
    if path.is_file() and path.suffix == ".h5":
        return ShapeSet(CLASSES, ((path, -1),))
    files = sorted(path.glob("test_objectdataset*.h5"), key=lambda file: (len(file.name), file.name))
    return ShapeSet(CLASSES, ((files[0], -1),)) if files else None
