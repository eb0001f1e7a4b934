"""Objects that persist, without ROS: clouds and camera poses in, a map of objects out that can be asked for in words.

    python examples/objects_over_time.py
    python examples/objects_over_time.py --seconds 20 --find "the bottle" --save objects.npz

The clouds are simulated here. Your own need a camera pose each, T_map_camera: p_map = T_map_camera @ p_camera.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from segvec3d_core import SegVec3D
from segvec3d_core.config import DEFAULT_VOCABULARY
from segvec3d_core.object_map import ObjectMap
from segvec3d_core.testsets.sequences import SEQUENCES, frames


def main(argv: Sequence[str] | None = None) -> int:
    """Move a camera around a table, and print the objects of the map."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the walk (default: 10)")
    parser.add_argument("--find", default="the box", metavar="TEXT", help='what to look for (default: "the box")')
    parser.add_argument("--save", metavar="FILE", help="keep the map in this file")
    args = parser.parse_args(argv)

    model = SegVec3D.load()
    objects = ObjectMap()
    for frame in frames(replace(SEQUENCES[4], seconds=args.seconds)):
        scene = model.segment(frame.cloud)  # the objects of this cloud
        objects.update(scene, frame.cloud, frame.T_map_camera, frame.stamp_ns)  # integrate them into the map

    snapshot = objects.snapshot()
    names = model.name(snapshot.scene(), DEFAULT_VOCABULARY)
    for thing, (name, similarity) in zip(snapshot, names, strict=True):
        unseen = (snapshot.stamp_ns - thing.last_seen) / 1e9
        state = "visible" if thing.state == "visible" else f"remembered, unseen for {unseen:.1f} s"
        print(f"{thing.id:4} {name:12} {similarity:.2f}  at {thing.object.box.center.round(2)} m  {state}")

    matches, snapshot = objects.query(model, args.find)
    for match in matches:
        print(f"{args.find}: object {snapshot[match.index].id}, similarity {match.similarity:.2f}")
    if not matches:
        print(f"{args.find}: not there")
    if args.save:
        print(f"{objects.save(args.save)} objects saved to {args.save}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
