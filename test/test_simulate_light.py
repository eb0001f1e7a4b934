"""How simulated scenes are lit, and what the camera makes of it."""

from dataclasses import replace

import numpy as np
import pytest

from segvec3d_core.simulate import FAMILIES, Light, first_edition, look_at, make_object, render, sample_light
from segvec3d_core.simulate.meshes import Mesh, box
from segvec3d_core.simulate.objects import MATERIAL_COLUMNS
from segvec3d_core.simulate.scenes import Builder, SceneModel, surface_model
from segvec3d_core.types import Camera

CAMERA = Camera(width=240, height=180, fx=240.0, fy=240.0, cx=119.5, cy=89.5)
VIEW = look_at(np.array([0.0, -0.7, 0.7]), np.zeros(3), 0.0)
EVEN = Light(
    np.array([[0.0, 0.0, 1.0]]), np.full((1, 3), 0.5), 1, np.full(3, 0.3), np.zeros(3), True, 0.0, 0.0, 1, np.ones(3),
    0.4, True, 1.0,
)  # fmt: skip
TABLE, THING = 0, 1


def rows(*colors: tuple[float, float, float], **columns: float) -> np.ndarray:
    materials = np.zeros((1, MATERIAL_COLUMNS), np.float32)
    materials[0, :3], materials[0, 4:7] = colors[0], colors[-1]
    for number, value in columns.items():
        materials[0, int(number.removeprefix("c"))] = value
    return materials


def scene(mesh: Mesh, materials: np.ndarray) -> SceneModel:
    """A thing on a grey table."""
    builder = Builder()
    top = surface_model("table", "grey", "wood", box(2.0, 2.0, 0.02).moved(z=-0.02), rows((0.5, 0.5, 0.5)))
    builder.add(top, np.eye(3), np.zeros(3), "surface")
    builder.add(surface_model("box", "white", "paper", mesh, materials), np.eye(3), np.zeros(3))
    return builder.build(np.zeros(3), 0.2, "table")


def seen(mesh: Mesh, light: Light, materials: np.ndarray | None = None):
    """Colours (H, W, 3), 0 to 1, instances (H, W) and places (H, W, 3) of what the camera sees."""
    made = scene(mesh, rows((0.8, 0.8, 0.8)) if materials is None else materials)
    frame = render(np.random.default_rng(0), made, VIEW, CAMERA, "ideal", light)
    return frame.color / 255.0, frame.instance, frame.surface


def test_what_a_lamp_does_not_reach_is_dark_and_its_rim_is_soft_where_the_lamp_is_large():
    place, slanted = box(0.1, 0.1, 0.2), np.array([0.7, 0.0, 0.7])
    spread = slanted + np.array([[0, 0, 0], [0.2, 0, 0], [-0.15, 0, 0], [0.1, 0, 0]])
    spread /= np.linalg.norm(spread, axis=1, keepdims=True)
    hard = replace(EVEN, directions=spread[:1])
    soft = replace(EVEN, directions=spread, colors=np.full((4, 3), 0.125), lamps=4)
    between = []
    for light in (hard, soft):
        color, instance, places = seen(place, light)
        strip = (instance == TABLE) & (np.abs(places[..., 1]) < 0.03) & (places[..., 0] < 0)
        tone = color[strip].mean(1)
        dark, bright = np.percentile(tone, [1, 99])
        assert dark < 0.85 * bright
        between.append(np.mean((tone > dark + 0.25 * (bright - dark)) & (tone < bright - 0.25 * (bright - dark))))
    assert between[1] > 2 * between[0]


def test_a_room_is_darker_where_a_thing_stands_in_its_way():
    turn = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    around = np.stack([np.cos(turn), np.sin(turn), np.full(8, 0.5)], 1) / 1.25**0.5
    light = replace(EVEN, directions=around, colors=np.full((8, 3), 0.12), lamps=0)
    color, instance, places = seen(box(0.16, 0.16, 0.2), light)
    away = np.abs(places[..., :2]).max(2) - 0.08
    near, far = (
        color[(instance == TABLE) & low & (away < high)].mean()
        for low, high in ((away > 0.005, 0.03), (away > 0.3, 0.6))
    )
    assert near < 0.93 * far


def test_two_lamps_of_different_tints_tint_the_sides_of_one_thing_differently():
    light = replace(
        EVEN, directions=np.array([[0.9, -0.3, 0.3], [-0.9, -0.3, 0.3]]), lamps=2,
        colors=np.array([[0.6, 0.5, 0.4], [0.4, 0.5, 0.6]]), ambient=np.full(3, 0.05),
    )  # fmt: skip
    mesh = box(0.1, 0.1, 0.2).turned("z", 45)
    color, instance, places = seen(mesh, light)
    warm, cold = (
        color[(instance == THING) & side & (places[..., 2] < 0.19)].mean(0)
        for side in (places[..., 0] > 0.01, places[..., 0] < -0.01)
    )
    assert warm[0] / warm[2] > 1.1
    assert cold[0] / cold[2] < 1 / 1.1


@pytest.mark.parametrize("strength", [0.2, 5.0])
def test_a_metered_image_is_as_bright_whatever_the_light(strength):
    thing = box(0.1, 0.1, 0.1)
    dim = replace(EVEN, colors=EVEN.colors * strength, ambient=EVEN.ambient * strength)
    assert np.abs(seen(thing, dim)[0] - seen(thing, EVEN)[0]).max() < 0.02
    assert seen(thing, replace(EVEN, exposure=0.2))[0].mean() < 0.85 * seen(thing, EVEN)[0].mean()


def test_colors_are_as_strong_as_the_camera_makes_them():
    red = rows((0.7, 0.2, 0.2))
    chroma = []
    for saturation in (0.0, 0.5, 1.0):
        color, instance, _ = seen(box(0.1, 0.1, 0.1), replace(EVEN, saturation=saturation), red)
        mean = color[instance == THING].mean(0)
        chroma.append(mean.max() - mean.min())
    assert chroma[0] < 0.02 < 0.1 < chroma[1] < chroma[2]


def test_a_glossy_thing_shows_the_room():
    tones = []
    for mirrored in (0.0, 0.8):
        light = replace(EVEN, lamps=0, mirrored=mirrored)
        color, instance, places = seen(box(0.3, 0.3, 0.1), light, rows((0.1, 0.1, 0.1), c9=0.8))
        top = (instance == THING) & (places[..., 2] > 0.098) & (np.abs(places[..., :2]).max(2) < 0.125)
        parts = (places[..., 0][top] * 40).astype(int) + 100 * (places[..., 1][top] * 40).astype(int)
        tones.append(np.std([color[top][parts == part].mean() for part in np.unique(parts)]))
    assert tones[1] > 3 * tones[0]


@pytest.mark.parametrize("low", [0.1, 0.25, 0.6])
def test_an_open_surface_has_no_shadows_however_low_the_light(low):
    light = replace(EVEN, directions=np.array([[np.sqrt(1 - low * low), 0, low]]), ambient=np.full(3, 0.05))
    color, instance, places = seen(box(0.02, 0.02, 0.002), light)
    tone = color[(instance == TABLE) & (np.abs(places[..., :2] - [0.3, 0]).max(2) < 0.2)].mean(1)
    assert tone.std() < 0.03


def test_vessels_alone_are_lined_on_the_inside_and_none_of_the_first_edition():
    rng = np.random.default_rng(1)
    bowl = next(f for f in FAMILIES if f.category == "bowl")
    models = [make_object(rng, bowl) for _ in range(60)]
    lined = [model for model in models if model.mesh.parts.max() == 1]
    assert 0.2 < len(lined) / len(models) < 0.6
    for model in lined:
        corners = model.mesh.vertices[model.mesh.faces[model.mesh.parts == 1]]
        outside = model.mesh.vertices[model.mesh.faces[model.mesh.parts == 0]]
        assert np.abs(corners[..., :2]).max() < np.abs(outside[..., :2]).max()
        assert corners[..., 2].min() > 0
        if model.info.pattern == "plain":
            assert model.info.second_color not in ("", model.info.color)
    cartons = [make_object(rng, next(f for f in FAMILIES if f.category == "carton")) for _ in range(5)]
    with first_edition():
        plain = [make_object(rng, bowl) for _ in range(10)]
    assert all((model.mesh.parts == 0).all() for model in plain)
    assert all(model.mesh.parts.min() == 0 for model in models + cartons)


def test_todays_light_comes_from_many_sides_and_that_of_the_first_edition_from_one():
    lights = [sample_light(np.random.default_rng(k)) for k in range(40)]
    assert {light.lamps for light in lights} >= {1, 4, 5}
    for light in lights:
        assert len(light.directions) == len(light.colors) > 9
        assert np.allclose(np.linalg.norm(light.directions, axis=1), 1)
        assert (light.directions[:, 2] > 0).all()
        assert (light.colors >= 0).all()
    with first_edition(shapes=False):
        assert len(sample_light(np.random.default_rng(0)).directions) > 9
    with first_edition():
        assert len(sample_light(np.random.default_rng(0)).directions) == 1
