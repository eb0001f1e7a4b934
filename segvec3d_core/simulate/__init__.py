"""Seeded synthetic scenes seen by a simulated depth camera: for training, the demo and the tests.

To follow one frame through the code, read ``shapes.py`` (families of shapes), ``objects.py`` (a single object),
``placing.py`` and ``piles.py`` (how objects come to rest), ``tables.py``, ``shelves.py`` and ``rooms.py`` (scenes),
``sensor.py`` (the rendered view), ``noise.py`` and ``matching.py`` (the sensor's errors); for scans of several views
continue with ``scan.py`` and ``fusing.py``. Evaluation data come from an older, frozen edition of the simulator, whose
differences are coded beside today's behaviour, see ``first_edition``.
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
