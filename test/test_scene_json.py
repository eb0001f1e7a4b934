"""A scene as JSON keeps to the schema that is published of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segvec3d_core.io import scene_to_dict, write_scene_json
from segvec3d_core.types import Box, Match, Matches, Scene, SceneObject

ROOT = Path(__file__).resolve().parent.parent


def one_object_scene() -> Scene:
    box = Box(np.zeros(3, np.float32), np.eye(3, dtype=np.float32), np.array([0.1, 0.2, 0.3], np.float32))
    item = SceneObject("object", 0.9, box, np.zeros(3, np.float32), np.zeros(4, np.float32), None, 2)
    return Scene(np.array([-1, 0, 0], np.int32), (item,), {"segment": 0.1})


def conforms(value: Any, schema: dict[str, Any]) -> None:
    """The part of JSON Schema that docs/scene.schema.json uses: type, required, properties, items, enum, const."""
    types: dict[str, Any] = {
        "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "null": type(None)
    }  # fmt: skip
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    assert not wanted or any(isinstance(value, types[kind]) for kind in wanted), (value, schema)
    assert value in schema.get("enum", [value])
    assert value == schema.get("const", value)
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value)
        if schema.get("additionalProperties") is False:
            assert set(value) <= set(schema["properties"])
        for key, entry in value.items():
            conforms(entry, schema.get("properties", {}).get(key, {}))
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        for entry in value:
            conforms(entry, schema.get("items", {}))


def test_the_json_of_a_scene_conforms_to_its_published_schema(tmp_path: Path) -> None:
    schema = json.loads((ROOT / "docs/scene.schema.json").read_text())
    scene = one_object_scene()
    matches = Matches((Match(0, scene.objects[0], 0.7),), "a mug that is red")
    write_scene_json(
        tmp_path / "a/scene.json", scene, source="x", names=[("mug", 0.8)], query="the mug", matches=matches
    )
    values = json.loads((tmp_path / "a/scene.json").read_text())
    conforms(values, schema)
    assert values["objects"][0]["label"] == "mug"
    assert values["query"]["matches"] == [{"id": 0, "similarity": 0.7}]
    conforms(scene_to_dict(Scene(np.empty(0, np.int32))), schema)
    with pytest.raises(AssertionError):
        conforms(values | {"version": 99}, schema)


def test_names_of_another_number_of_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="names: expected 1, got 0"):
        scene_to_dict(one_object_scene(), names=[])
