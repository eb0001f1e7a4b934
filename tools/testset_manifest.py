"""Regenerate segvec3d_core/testsets/manifest.json from written test sets: ``testset_manifest.py DIR``.

DIR holds tabletop-v1, clutter-v1 and rooms-v1 as written by ``segvec3d simulate --test NAME --output DIR/NAME``. Only
for a new version of the sets: figures from before and after a change of the manifest cannot be compared.
"""

from __future__ import annotations

import sys
from pathlib import Path

from segvec3d_core.io import write_json
from segvec3d_core.testsets.shapes import load_shapes
from segvec3d_core.testsets.write import manifest

if __name__ == "__main__":
    target = Path(__file__).resolve().parents[1] / "segvec3d_core" / "testsets" / "manifest.json"
    write_json(target, manifest(sys.argv[1], load_shapes()))
