"""Seeded synthetic scenes seen by a depth camera: for training, the demo and the tests.

To follow one frame, read ``shapes.py`` (what things there are), ``objects.py`` (one of them), ``placing.py`` and
``piles.py`` (how it comes to rest), ``tables.py``, ``shelves.py`` and ``rooms.py`` (scenes), ``sensor.py`` (the view),
``noise.py`` and ``matching.py`` (what a sensor makes of it); a scan goes on in ``scan.py`` and ``fusing.py``. What is
drawn otherwise in the evaluation stands beside it, see ``first_edition``.
"""

from .edition import first_edition, is_first_edition
from .noise import SENSORS, Sensor
from .objects import COLORS, ObjectInfo, ObjectModel, families, make_object, sample_object
from .paint import Light, sample_light
from .preview import write_preview
from .scan import simulate_scan
from .scenes import LAYOUTS, Entity, Layout, SceneModel, sample_scene
from .sensor import SimulatedFrame, View, draw_sensor, look_at, render, sample_camera, sample_view, simulate_frame
from .shapes import FAMILIES, FIRST_EDITION, Family
from .vocabulary import NOUNS, Noun

__all__ = [
    "COLORS", "FAMILIES", "FIRST_EDITION", "LAYOUTS", "NOUNS", "SENSORS", "Entity", "Family", "Layout", "Light", "Noun",
    "ObjectInfo", "ObjectModel", "SceneModel", "Sensor", "SimulatedFrame", "View", "draw_sensor", "families",
    "first_edition", "is_first_edition", "look_at", "make_object", "render", "sample_camera", "sample_light",
    "sample_object", "sample_scene", "sample_view", "simulate_frame", "simulate_scan", "write_preview",
]  # fmt: skip
