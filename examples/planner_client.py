"""Client for a manipulation planner: finds an object in the planner's frame, and makes it an obstacle or a goal.

    python examples/planner_client.py "the red mug" --frame base_link
    python examples/planner_client.py "the bottles" --frame map --all --wait 5

It waits for a cloud that is not older than the query, gets pose and size in the requested frame (the node transforms
them at the cloud's stamp), and converts each match to a moveit_msgs/CollisionObject if MoveIt's messages are installed.
Exit code 0 with a match, 1 without, 2 if the node cannot answer.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Sequence
from typing import Any

from rclpy.context import Context

from segvec3d_interfaces.msg import Instance
from segvec3d_interfaces.srv import FindObject
from segvec3d_ros.client import Client
from segvec3d_ros.conversions import nanoseconds, time_message

OLDEST = 1.0
"""Seconds since a remembered object was last seen, beyond which a planner should look again before reaching for it."""


def collision_object(match: Any, header: Any, moveit_msgs: Any, shape_msgs: Any) -> Any:
    """Convert a match to a collision object. Its box maps directly to a ``SolidPrimitive``: pose and full edge lengths.

    Args:
        match: segvec3d_interfaces/ObjectMatch.
        header: of the response.
        moveit_msgs, shape_msgs: the modules ``moveit_msgs.msg`` and ``shape_msgs.msg``.
    """
    size = match.instance.size
    box = shape_msgs.SolidPrimitive(type=shape_msgs.SolidPrimitive.BOX, dimensions=[size.x, size.y, size.z])
    result = moveit_msgs.CollisionObject()
    result.header = header
    # An object keeps its id, so ADD moves an existing obstacle. The client has to REMOVE objects that are no longer in
    # ~/list_objects; two objects that were merged keep only one of their ids.
    result.id = f"segvec3d_{match.instance.id}"
    result.pose = match.instance.pose
    result.primitives = [box]
    result.primitive_poses = [type(match.instance.pose)()]
    result.primitive_poses[0].orientation.w = 1.0
    result.operation = moveit_msgs.CollisionObject.ADD
    return result


def describe(match: Any, header: Any) -> str:
    """Describe a match in one line."""
    thing, p, size = match.instance, match.instance.pose.position, match.instance.size
    age = (nanoseconds(header.stamp) - nanoseconds(thing.last_seen)) / 1e9
    state = "visible" if thing.state == Instance.VISIBLE else f"remembered, unseen for {age:.1f} s"
    if thing.state == Instance.REMEMBERED and age > OLDEST:
        state += ": look again before reaching out"
    return (
        f"{thing.id} {thing.label or 'object'} similarity {match.similarity:.2f}, in {header.frame_id} at "
        f"{p.x:.3f} {p.y:.3f} {p.z:.3f} m, {size.x:.3f} x {size.y:.3f} x {size.z:.3f} m, {state}"
    )


def main(argv: Sequence[str] | None = None, context: Context | None = None) -> int:
    """Query the node; print the matches and their collision objects."""
    parser = argparse.ArgumentParser(description="Find a thing and turn it into a collision object.")
    parser.add_argument("query", help='what to find, such as "the red mug"')
    parser.add_argument("--node", default="/segvec3d", help="the node's name (default: /segvec3d)")
    parser.add_argument("--frame", default="", help="the planner's frame (default: that of the objects)")
    parser.add_argument(
        "--wait", type=float, default=2.0, metavar="S", help="how long to wait for a new cloud, seconds"
    )
    parser.add_argument("--all", action="store_true", help="every match, not as many as the text asks for")
    parser.add_argument("--now", type=float, metavar="S", help="the present in seconds, where the clock is simulated")
    args = parser.parse_args(argv)
    now = time.time_ns() if args.now is None else round(args.now * 1e9)
    with Client(args.node, context) as client:
        try:
            answer = client.find_object(
                args.query,
                timeout=args.wait,
                not_before=time_message(now),
                target_frame=args.frame,
                top_k=FindObject.Request.ALL if args.all else 0,
            )
        except TimeoutError as error:
            print(error, file=sys.stderr)
            return 2
    if answer.status not in (FindObject.Response.SUCCESS, FindObject.Response.NO_MATCH):
        print(answer.message, file=sys.stderr)
        return 2
    print(answer.message)
    if answer.matches:
        print(f"understood as: {answer.interpretation}")
    try:
        messages = importlib.import_module("moveit_msgs.msg"), importlib.import_module("shape_msgs.msg")
    except ImportError:
        messages = None
    for match in answer.matches:
        print(describe(match, answer.header))
        if messages is not None:  # in a planner: publish it on /collision_object, or call /apply_planning_scene
            print(collision_object(match, answer.header, *messages))
    return 0 if answer.matches else 1


if __name__ == "__main__":
    raise SystemExit(main())
