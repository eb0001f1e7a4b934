"""Point clouds in recorded bags, read without ROS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segvec3d_core.config import GRAVITY_FRAMES
from segvec3d_core.pointcloud2 import cloud_of_message
from segvec3d_core.types import PointCloud

BAG_SUFFIXES = (".mcap", ".db3", ".bag")
_CLOUD = "sensor_msgs/msg/PointCloud2"


def is_bag(path: Path) -> bool:
    """Whether a path names a bag: a rosbag2 directory or file, or a ROS 1 bag."""
    return path.suffix.lower() in BAG_SUFFIXES or (path / "metadata.yaml").is_file()


def iter_bag_clouds(path: str | Path, topic: str | None = None) -> Iterator[tuple[int, str, PointCloud]]:
    """Yield the PointCloud2 messages of a bag in the order of recording.

    Args:
        path: a rosbag2 directory, or an .mcap, .db3 or (ROS 1) .bag file.
        topic: the topic to read; None for the only one, or the first by name if there are several.

    Yields:
        (stamp, frame_id, cloud): the header's time in nanoseconds, the frame, and the points. An organised cloud that
        fits a pinhole camera carries its intrinsics. The viewpoint is the origin, except for clouds without such a
        camera in one of ``GRAVITY_FRAMES``.

    Raises:
        FileNotFoundError, ValueError: no such bag, not a readable one, or no such topic of type PointCloud2.
    """
    from rosbags.highlevel import AnyReader
    from rosbags.typesys import Stores, get_typestore

    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with AnyReader([path], default_typestore=get_typestore(Stores.LATEST)) as reader:
            connections = _connections(path, reader.connections, topic)
            for connection, _, raw in reader.messages(connections=connections):
                message: Any = reader.deserialize(raw, connection.msgtype)
                stamp = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
                frame = message.header.frame_id
                yield stamp, frame, cloud_of_message(message, from_sensor=frame not in GRAVITY_FRAMES)
    except Exception as error:
        if isinstance(error, ValueError) or not _of_storage(error):
            raise
        if isinstance(error, FileNotFoundError) and not (path.is_file() or (path / "metadata.yaml").is_file()):
            raise FileNotFoundError(f"{path}: not a rosbag2 directory: it has no metadata.yaml") from None
        raise ValueError(f"{path}: not a readable bag: {error}") from None


def _of_storage(error: Exception) -> bool:
    """Whether an error means that a bag cannot be read: raised by the reader or the storage below it."""
    from rosbags.highlevel import AnyReaderError
    from rosbags.rosbag1 import ReaderError as Bag1Error
    from rosbags.rosbag2 import ReaderError as Bag2Error

    beneath = type(error).__module__.partition(".")[0] in ("apsw", "sqlite3", "backports", "compression")
    return beneath or isinstance(error, (AnyReaderError, Bag1Error, Bag2Error, OSError, RuntimeError))  # the last: lz4


def _connections(path: Path, connections: list[Any], topic: str | None) -> list[Any]:
    """The bag's connections of the topic to read."""
    clouds = [connection for connection in connections if connection.msgtype == _CLOUD]
    if topic is None:
        if not clouds:
            raise ValueError(f"{path}: no PointCloud2 topic; it holds {_listing(connections)}")
        topic = min(connection.topic for connection in clouds)
    chosen = [connection for connection in clouds if connection.topic == topic]
    if not chosen:
        raise ValueError(f"{path}: no PointCloud2 topic {topic}; it holds {_listing(connections)}")
    return chosen


def _listing(connections: list[Any]) -> str:
    """The topics of a bag with their types, for an error message."""
    topics = sorted({f"{connection.topic} ({connection.msgtype.split('/')[-1]})" for connection in connections})
    return ", ".join(topics) or "no topics"
