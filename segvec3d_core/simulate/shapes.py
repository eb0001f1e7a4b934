"""All families of shapes that the simulator can make: their nouns, materials, colours and sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from numpy.random import Generator

from . import shapes_carved as carved
from . import shapes_food as food
from . import shapes_furniture as furniture
from . import shapes_hardware as hardware
from . import shapes_home as home
from . import shapes_kitchen as kitchen
from . import shapes_office as office
from . import shapes_produce as produce
from . import shapes_seats as seats
from . import shapes_soft as soft
from . import shapes_storage as storage
from . import shapes_tables as tables
from . import shapes_tools as tools
from . import shapes_toys as toys
from . import shapes_vessels as vessels
from . import shapes_wear as wear
from . import shapes_wide as wide
from .meshes import Mesh


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of object with a parametric shape.

    Attributes:
        category: a noun of ``vocabulary.NOUNS``.
        make: draws a mesh at rest on z = 0 in its natural pose, metres.
        place: "table" for objects on tables and shelves, "floor" for furniture, "both" for either.
        materials: its possible materials, of which one is drawn.
        colors: names of its possible main colours, of which one is drawn; empty for any.
        patterns: its possible surface patterns, of which one is drawn.
        accents: colours of the parts 1, 2, ...; "" draws one at random.
        low, high: bounds of its longest edge, metres.
        weight: its relative frequency.
    """

    category: str
    make: Callable[[Generator], Mesh]
    place: str
    materials: tuple[str, ...]
    colors: tuple[str, ...]
    patterns: tuple[str, ...]
    accents: tuple[str, ...]
    low: float
    high: float
    weight: float


def _family(
    category: str, make: Callable[[Generator], Mesh], low: float, high: float, materials: str, colors: str = "",
    patterns: str = "plain", accents: str = "", place: str = "table", weight: float = 1.0,
) -> Family:  # fmt: skip
    return Family(
        category, make, place, tuple(materials.split()), tuple(colors.split()), tuple(patterns.split()),
        tuple("" if a == "?" else a for a in accents.split()), low, high, weight,
    )  # fmt: skip


_METAL = "silver grey"
_WOOD = "brown beige"

FIRST_EDITION: tuple[Family, ...] = (
    # packages
    _family("box", vessels.open_box, 0.08, 0.36, "cardboard plastic", "", "plain noise", weight=0.7),
    _family("box", food.package, 0.03, 0.27, "cardboard", "", "print print label plain stripes", weight=4),
    _family("cereal box", food.cereal_box, 0.18, 0.32, "cardboard", "", "print print label", weight=3),
    _family("tea box", food.tea_box, 0.06, 0.17, "cardboard", "", "print label stripes", weight=2),
    _family("carton", food.carton, 0.09, 0.27, "cardboard", "", "print label", "white", weight=1),
    _family("packet", food.packet, 0.09, 0.27, "plastic paper", "", "print label stripes", weight=1),
    _family("tissue box", home.tissue_box, 0.1, 0.26, "cardboard", "", "print noise dots", "white", weight=1),
    _family("book", home.book, 0.13, 0.31, "paper", "", "plain label print", "white", weight=2),
    _family("notebook", home.notebook, 0.12, 0.3, "paper", "", "plain label", "silver"),
    # vessels
    _family("mug", vessels.mug, 0.075, 0.15, "ceramic ceramic metal plastic", "",
        "plain plain stripes label print dots", "?", weight=4),
    _family("cup", vessels.cup, 0.06, 0.18, "paper ceramic plastic", "", "plain stripes dots label", "white", weight=2),
    _family("glass", vessels.glass, 0.07, 0.23, "glass", "clear blue green grey", "plain", weight=1),
    _family("bowl", vessels.bowl, 0.1, 0.37, "ceramic ceramic plastic metal wood", "",
        "plain plain stripes dots", weight=3.5),
    _family("plate", vessels.plate, 0.13, 0.38, "ceramic plastic", "", "plain plain stripes dots", weight=1.5),
    _family("can", vessels.can, 0.045, 0.3, "metal", "", "label label print stripes plain", "silver", weight=4),
    _family("tin", vessels.tin, 0.06, 0.26, "metal", "", "plain label print wood dots", "?", weight=2),
    _family("canister", vessels.canister, 0.08, 0.26, "plastic metal ceramic", "", "plain plain label", "?",
        weight=2.5),
    _family("jar", vessels.jar, 0.06, 0.19, "glass plastic", "", "label label plain", "?", weight=1.5),
    _family("bottle", vessels.bottle, 0.14, 0.35, "plastic glass", "", "label label plain", "?", weight=2.5),
    _family("detergent bottle", vessels.detergent_bottle, 0.11, 0.28, "plastic", "", "label label plain", "?",
        weight=1.5),
    _family("spray bottle", vessels.spray_bottle, 0.14, 0.27, "plastic", "", "label plain", "? ? red", weight=1),
    _family("pot", vessels.pot, 0.14, 0.48, "metal", "silver grey red black blue white green", "plain",
        "black", weight=1.5),
    _family("pan", vessels.pan, 0.28, 0.52, "metal", "black grey silver red", "plain", "black brown", weight=1),
    _family("teapot", vessels.teapot, 0.12, 0.33, "ceramic metal", "", "plain dots", weight=0.7),
    _family("kettle", vessels.kettle, 0.16, 0.32, "metal plastic", "silver black white red", "plain", "black",
        weight=0.7),
    _family("pitcher", vessels.pitcher, 0.16, 0.27, "plastic ceramic glass", "", "plain stripes", weight=1),
    _family("vase", vessels.vase, 0.12, 0.33, "ceramic glass", "", "plain stripes noise", weight=1),
    _family("bucket", vessels.bucket, 0.19, 0.46, "plastic metal", "", "plain", "silver", "both", 0.4),
    _family("tray", vessels.tray, 0.2, 0.41, "wood plastic metal", "", "wood plain", weight=0.4),
    _family("basket", vessels.basket, 0.13, 0.36, "wicker plastic", "brown beige white grey blue green",
        "checks plain", weight=0.8),
    # food
    _family("apple", food.apple, 0.04, 0.11, "organic", "red green yellow red", "noise", "brown", weight=1),
    _family("pear", food.pear, 0.06, 0.15, "organic", "green yellow", "noise", "brown", weight=0.8),
    _family("banana", food.banana, 0.12, 0.23, "organic", "yellow yellow green", "noise plain", "brown", weight=1.5),
    _family("orange", food.orange, 0.05, 0.095, "organic", "orange", "noise", weight=1),
    _family("lemon", food.lemon, 0.055, 0.11, "organic", "yellow", "noise", weight=0.7),
    _family("peach", food.peach, 0.04, 0.08, "organic", "orange pink", "noise", weight=0.5),
    _family("strawberry", food.strawberry, 0.025, 0.065, "organic", "red", "dots", "green", weight=0.4),
    _family("carrot", food.carrot, 0.1, 0.24, "organic", "orange", "noise", "green", weight=0.5),
    _family("cucumber", food.cucumber, 0.13, 0.33, "organic", "green", "noise", weight=0.5),
    _family("bell pepper", food.bell_pepper, 0.05, 0.14, "organic", "red green yellow orange", "plain",
        "green", weight=0.5),
    _family("tomato", food.tomato, 0.04, 0.095, "organic", "red", "plain", "green", weight=0.5),
    _family("potato", food.potato, 0.05, 0.14, "organic", "beige brown", "noise", weight=0.5),
    _family("egg", food.egg, 0.045, 0.07, "organic", "white beige", "plain", weight=0.4),
    _family("bread", food.bread, 0.06, 0.31, "organic", "brown beige", "noise", weight=0.7),
    _family("doughnut", food.doughnut, 0.06, 0.12, "organic", "brown beige", "noise", "pink brown", weight=0.4),
    _family("cake", food.cake, 0.04, 0.3, "organic", "brown white yellow pink", "plain", "?", weight=0.5),
    # cutlery and tools
    _family("spoon", tools.spoon, 0.12, 0.34, "metal metal wood plastic", "silver grey brown black", "plain",
        "brown", weight=0.9),
    _family("fork", tools.fork, 0.13, 0.25, "metal", "silver grey", "plain", weight=0.6),
    _family("knife", tools.knife, 0.16, 0.36, "metal", "silver grey", "plain", "black", weight=0.7),
    _family("spatula", tools.spatula, 0.23, 0.4, "plastic metal wood", "black silver red brown", "plain",
        "black", weight=0.6),
    _family("whisk", tools.whisk, 0.18, 0.3, "metal", "silver", "plain", "black", weight=0.3),
    _family("rolling pin", tools.rolling_pin, 0.33, 0.46, "wood", _WOOD, "wood", "brown", weight=0.4),
    _family("cutting board", tools.cutting_board, 0.18, 0.5, "wood plastic", "brown beige white green",
        "wood plain", weight=0.6),
    _family("pen", tools.pen, 0.11, 0.18, "plastic", "", "plain", "? ?", weight=0.7),
    _family("pencil", tools.pencil, 0.11, 0.22, "wood", "yellow red blue green", "plain", "beige pink", weight=0.4),
    _family("scissors", tools.scissors, 0.12, 0.27, "metal", "silver", "plain", "red black", weight=0.8),
    _family("screwdriver", tools.screwdriver, 0.14, 0.29, "plastic", "red yellow blue black orange", "plain",
        "silver", weight=0.9),
    _family("hammer", tools.hammer, 0.22, 0.4, "wood plastic", "brown beige black red", "plain", "silver", weight=0.8),
    _family("wrench", tools.wrench, 0.11, 0.32, "metal", _METAL, "plain", weight=0.6),
    _family("pliers", tools.pliers, 0.11, 0.24, "metal", _METAL, "plain", "red", weight=0.6),
    _family("drill", tools.drill, 0.17, 0.32, "plastic", "red yellow green blue black orange", "plain",
        "black silver", weight=1.5),
    _family("clamp", tools.clamp, 0.06, 0.42, "metal plastic", "black orange red grey silver", "plain",
        "? silver", weight=1.5),
    _family("tape roll", tools.tape_roll, 0.05, 0.13, "plastic", "", "plain", "beige", weight=0.8),
    _family("saw", tools.saw, 0.3, 0.56, "metal", "silver", "plain", "?", weight=0.3),
    _family("flashlight", tools.flashlight, 0.09, 0.22, "metal plastic", "black red yellow silver", "plain",
        "white", weight=0.6),
    _family("brush", tools.brush, 0.12, 0.32, "wood plastic", "", "plain", "?", weight=0.6),
    _family("toothbrush", tools.toothbrush, 0.13, 0.22, "plastic", "", "plain", "white", weight=0.3),
    _family("battery", tools.battery, 0.03, 0.07, "metal", "black silver red", "plain", "? silver", weight=0.3),
    # home
    _family("phone", home.phone, 0.11, 0.17, "plastic metal", "black white silver blue red", "plain", "black",
        weight=0.9),
    _family("tablet", home.tablet, 0.17, 0.3, "metal", "black white silver", "plain", "black", weight=0.4),
    _family("remote control", home.remote_control, 0.12, 0.23, "plastic", "black grey white", "plain", "grey",
        weight=1),
    _family("keyboard", home.keyboard, 0.26, 0.47, "plastic", "black white grey", "plain", "?", weight=0.7),
    _family("mouse", home.mouse, 0.08, 0.13, "plastic", "", "plain", "black", weight=0.8),
    _family("laptop", home.laptop, 0.26, 0.42, "metal plastic", "silver black grey", "plain", "black", weight=0.6),
    _family("monitor", home.monitor, 0.38, 0.7, "plastic", "black silver white", "plain", "black ?", weight=0.4),
    _family("speaker", home.speaker, 0.13, 0.37, "wood plastic", "black brown white", "plain wood", "black",
        weight=0.5),
    _family("camera", home.camera, 0.08, 0.17, "plastic", "black silver red", "plain", "black", weight=0.8),
    _family("headphones", home.headphones, 0.15, 0.26, "plastic", "", "plain", "black", weight=0.6),
    _family("lamp", home.lamp, 0.25, 0.52, "fabric", "white beige red yellow", "plain", "?", weight=0.5),
    _family("lamp", home.desk_lamp, 0.25, 0.56, "metal", "", "plain", "?", weight=0.4),
    _family("clock", home.clock, 0.07, 0.34, "plastic wood metal", "", "plain", "white black", weight=0.5),
    _family("alarm clock", home.alarm_clock, 0.07, 0.18, "plastic", "", "plain", "black ?", weight=0.5),
    _family("shoe", home.shoe, 0.2, 0.35, "fabric leather", "", "plain", "white", "both", 0.8),
    _family("hat", home.hat, 0.14, 0.4, "fabric", "", "plain", "?", weight=0.6),
    _family("bag", home.bag, 0.2, 0.55, "fabric leather", "", "plain checks stripes", "?", "both", 0.5),
    _family("purse", home.purse, 0.08, 0.21, "leather", "", "plain", "silver", weight=0.4),
    _family("soap", home.soap, 0.05, 0.11, "organic", "", "plain", weight=0.4),
    _family("sponge", home.sponge, 0.07, 0.14, "foam", "yellow blue green pink", "noise", "green", weight=0.6),
    _family("candle", home.candle, 0.03, 0.19, "wax", "", "plain", "black", weight=0.5),
    _family("toilet paper", home.toilet_paper, 0.08, 0.27, "paper", "white", "plain noise", weight=0.6),
    _family("plant", home.plant, 0.08, 0.75, "ceramic plastic", "", "plain", "green", "both", 0.8),
    _family("toaster", home.toaster, 0.2, 0.38, "metal plastic", "", "plain", "black", weight=0.4),
    _family("coffee machine", home.coffee_machine, 0.26, 0.4, "plastic", "black silver red white", "plain",
        "? black", weight=0.4),
    _family("guitar", home.guitar, 0.65, 1.0, "wood", "brown beige red black", "wood", "brown black", "floor", 0.2),
    _family("pillow", home.pillow, 0.3, 0.62, "fabric", "", "plain stripes checks", "", "floor", 0.3),
    _family("ball", home.ball, 0.03, 0.25, "rubber plastic", "", "plain noise dots", "?", weight=1.2),
    # toys and sundries
    _family("toy block", toys.toy_block, 0.02, 0.22, "wood", "", "plain wood", weight=1.5),
    _family("toy brick", toys.brick, 0.012, 0.15, "plastic", "", "plain", weight=0.7),
    _family("toy car", toys.toy_car, 0.06, 0.23, "plastic metal", "", "plain", "? black", weight=1),
    _family("toy animal", toys.plush, 0.1, 0.36, "plush", "", "noise", "?", weight=1),
    _family("doll", toys.doll, 0.09, 0.3, "plastic", "", "plain", "pink brown", weight=0.5),
    _family("puzzle cube", toys.puzzle_cube, 0.04, 0.07, "plastic", "", "plain", "? ?", weight=0.5),
    _family("die", toys.die, 0.01, 0.045, "plastic", "", "dots", weight=0.2),
    _family("trophy", toys.trophy, 0.13, 0.33, "metal", "yellow silver", "plain", "black", weight=0.3),
    _family("picture frame", toys.picture_frame, 0.1, 0.36, "wood metal", "", "plain", "?", weight=0.5),
    _family("globe", toys.globe, 0.14, 0.4, "plastic", "blue", "noise", "silver brown", weight=0.3),
    _family("glue", toys.glue_stick, 0.07, 0.13, "plastic", "", "label", "?", weight=0.4),
    _family("tube", toys.tube, 0.1, 0.24, "plastic", "", "label stripes", "white", weight=0.6),
    _family("padlock", toys.padlock, 0.035, 0.1, "metal", "yellow silver", "plain", "silver", weight=0.4),
    _family("stapler", toys.stapler, 0.08, 0.18, "metal", "", "plain", "?", weight=0.4),
    _family("calculator", toys.calculator, 0.09, 0.18, "plastic", "black grey white", "plain", "? green", weight=0.4),
    _family("game controller", toys.game_controller, 0.12, 0.26, "plastic", "black white red blue", "plain",
        "?", weight=0.4),
    _family("thing", toys.thing, 0.02, 0.4, "plastic wood metal", "", "plain noise stripes print", "?", weight=6),
    # furniture
    _family("chair", seats.chair, 0.6, 1.25, "wood plastic fabric", "", "plain wood", "?", "floor", 5),
    _family("stool", seats.stool, 0.38, 0.8, "wood metal", "", "plain wood", "?", "floor", 1.2),
    _family("bench", tables.bench, 0.7, 1.75, "wood metal", "brown beige white black grey", "wood plain", "?",
        "floor", 0.6),
    _family("table", tables.table, 0.65, 2.25, "wood wood wood metal glass", "brown brown beige beige white black grey",
        "wood plain", "? silver", "floor", 3),
    _family("coffee table", tables.coffee_table, 0.35, 1.8, "wood wood metal glass", "brown beige white black grey",
        "wood plain", "? silver", "floor", 2),
    _family("desk", tables.desk, 0.85, 1.85, "wood", "brown beige white grey black", "wood plain", "? silver",
        "floor", 2),
    _family("armchair", seats.armchair, 0.6, 1.45, "fabric leather", "", "plain noise checks", "? black ?",
        "floor", 1.2),
    _family("sofa", seats.sofa, 1.0, 3.75, "fabric leather", "", "plain noise", "? black ?", "floor", 2.5),
    _family("bed", seats.bed, 1.9, 2.35, "wood fabric", "brown white beige grey", "wood plain", "white ? ?",
        "floor", 1.2),
    _family("wardrobe", storage.wardrobe, 1.55, 2.75, "wood", "white white brown beige grey black", "wood plain",
        "? silver silver", "floor", 2.5),
    _family("cabinet", storage.cabinet, 0.55, 2.1, "wood", "brown beige white grey black blue green", "wood plain",
        "? silver", "floor", 2.5),
    _family("counter", storage.counter, 0.7, 3.1, "wood wood stone", "brown beige white grey black", "wood plain noise",
        "? silver black", "floor", 2),
    _family("counter", storage.bar_counter, 0.85, 2.5, "wood stone", "brown beige white grey black", "wood plain",
        "? silver", "floor", 0.4),
    _family("drawer", storage.drawer_unit, 0.45, 1.6, "wood", "brown beige white grey", "wood plain", "? silver",
        "floor", 1.5),
    _family("nightstand", storage.nightstand, 0.35, 0.7, "wood", "brown beige white grey", "wood plain", "? silver",
        "floor", 0.6),
    _family("shelf", storage.shelf, 0.75, 2.05, "wood metal", "brown beige white black", "wood plain", "?",
        "floor", 1.5),
    _family("bookcase", storage.bookcase, 1.1, 2.15, "wood", "brown beige white", "wood plain", "? ? ? ?",
        "floor", 1.5),
    _family("sink", furniture.sink, 0.75, 1.25, "ceramic", "white", "plain", "silver white", "floor", 0.6),
    _family("toilet", furniture.toilet, 0.5, 1.0, "ceramic", "white", "plain", "white", "floor", 0.6),
    _family("door", furniture.door, 1.9, 2.15, "wood", "white brown beige grey", "plain wood", "? silver", "floor", 1),
    _family("fridge", furniture.fridge, 0.8, 1.95, "metal", "white silver grey", "plain", "silver", "floor", 0.7),
    _family("washing machine", furniture.washing_machine, 0.8, 0.9, "metal", "white", "plain", "grey white",
        "floor", 0.4),
    _family("microwave", furniture.microwave, 0.4, 0.56, "metal", "white black silver", "plain",
        "black silver", "both", 0.3),
    _family("trash can", furniture.trash_can, 0.2, 0.75, "plastic metal", "", "plain", "?", "floor", 1.5),
    _family("lamp", furniture.floor_lamp, 1.2, 1.75, "fabric", "white beige", "plain", "black", "floor", 0.8),
    _family("television", furniture.television, 0.65, 1.25, "plastic", "black grey", "plain", "black ?", "floor", 0.6),
    _family("bathtub", furniture.bathtub, 1.35, 1.75, "ceramic", "white", "plain", "", "floor", 0.3),
    _family("radiator", furniture.radiator, 0.4, 1.65, "metal", "white white grey black", "plain", "", "floor", 1),
)  # fmt: skip
"""The families with which the evaluation's tables and sequences were fixed, see ``first_edition``."""

OUTGROWN = (food.packet, tools.wrench, tools.hammer, tools.pliers, home.bag, toys.plush)
"""Shapes of the first edition whose samples are almost alike; more varied ones below take their place."""

FAMILIES: tuple[Family, ...] = (
    *(
        replace(f, weight=f.weight / 2) if f.make is toys.thing else f  # the other half comes from ``carved``
        for f in FIRST_EDITION if f.make not in OUTGROWN
    ),
    # kitchen
    _family("ladle", kitchen.ladle, 0.22, 0.43, "metal metal plastic wood", "silver grey black brown red", "plain",
        "black", weight=0.4),
    _family("sieve", kitchen.sieve, 0.19, 0.42, "metal metal plastic", "silver silver grey white red green blue",
        "plain plain dots", "?", weight=0.5),
    _family("grater", kitchen.grater, 0.185, 0.325, "metal", _METAL, "plain", "black", weight=0.4),
    _family("funnel", kitchen.funnel, 0.067, 0.205, "plastic plastic metal", "", "plain", weight=0.4),
    _family("corkscrew", kitchen.corkscrew, 0.08, 0.222, "metal wood plastic", "silver black brown red", "plain",
        "silver", weight=0.3),
    _family("salt shaker", kitchen.salt_shaker, 0.038, 0.27, "glass ceramic wood plastic", "", "plain", "silver",
        weight=0.6),
    _family("thermos", kitchen.thermos, 0.158, 0.315, "metal metal plastic", "", "plain plain label", "?", weight=0.7),
    _family("lunch box", kitchen.lunch_box, 0.13, 0.285, "plastic plastic metal", "", "plain plain print label", "?",
        weight=0.6),
    _family("chopsticks", kitchen.chopsticks, 0.18, 0.28, "wood wood plastic", "brown beige black red", "plain wood",
        "?", weight=0.3),
    _family("watering can", kitchen.watering_can, 0.245, 0.525, "plastic metal", "", "plain", "?", "both", 0.4),
    _family("blender", kitchen.blender, 0.24, 0.446, "plastic metal", "white black silver grey red", "plain",
        "clear black", weight=0.4),
    _family("iron", kitchen.iron, 0.215, 0.305, "plastic", "white blue turquoise purple grey black", "plain",
        "? silver", weight=0.4),
    _family("towel", kitchen.towel, 0.152, 0.61, "fabric", "", "plain noise stripes checks", weight=0.6),
    _family("paint can", kitchen.paint_can, 0.086, 0.347, "metal metal plastic", "", "label plain label", "silver",
        "both", 0.5),
    _family("flower pot", kitchen.flower_pot, 0.076, 0.335, "ceramic ceramic plastic",
        "orange brown white grey black green", "plain plain noise stripes", "?", "both", 0.6),
    # fruit, vegetables and snacks
    _family("egg carton", produce.egg_carton, 0.134, 0.33, "cardboard cardboard plastic",
        "grey grey beige green yellow", "noise plain", "beige", weight=0.5),
    _family("mushroom", produce.mushroom, 0.029, 0.117, "organic", "white beige brown", "plain noise", "white",
        weight=0.4),
    _family("pineapple", produce.pineapple, 0.162, 0.353, "organic", "brown yellow orange", "noise", "green",
        weight=0.4),
    _family("watermelon", produce.watermelon, 0.08, 0.395, "organic", "green", "noise plain", "red", weight=0.5),
    _family("onion", produce.onion, 0.049, 0.139, "organic", "orange brown purple white", "plain noise", "beige",
        weight=0.5),
    _family("corn", produce.corn, 0.145, 0.266, "organic", "yellow", "plain noise", "green", weight=0.4),
    _family("lettuce", produce.lettuce, 0.113, 0.253, "organic", "green", "noise plain", weight=0.4),
    _family("garlic", produce.garlic, 0.042, 0.082, "organic", "white beige", "plain noise", weight=0.4),
    _family("kiwi", produce.kiwi, 0.038, 0.088, "organic", "brown", "noise", "green beige", weight=0.4),
    _family("grape", produce.grape, 0.08, 0.175, "organic", "purple green red", "plain", "brown", weight=0.4),
    _family("avocado", produce.avocado, 0.066, 0.138, "organic", "green black", "noise", "yellow brown", weight=0.4),
    _family("cheese", produce.cheese, 0.076, 0.252, "organic", "yellow beige orange white", "plain", "yellow orange",
        weight=0.5),
    _family("pizza", produce.pizza, 0.104, 0.358, "organic", "beige brown", "noise plain", "yellow red", weight=0.4),
    _family("sandwich", produce.sandwich, 0.085, 0.286, "organic", "brown beige", "plain noise", "red green",
        weight=0.5),
    _family("cookie", produce.cookie, 0.033, 0.152, "organic", "brown beige", "noise plain", "brown", weight=0.4),
    _family("chocolate", produce.chocolate, 0.065, 0.222, "organic", "brown brown white", "plain", "? silver",
        weight=0.4),
    # office
    _family("eraser", office.eraser, 0.028, 0.083, "rubber", "white pink blue green", "plain", "? ?", weight=0.4),
    _family("ruler", office.ruler, 0.113, 0.677, "plastic wood metal", "clear yellow beige silver white blue", "plain",
        "black", weight=0.5),
    _family("paper clip", office.paper_clip, 0.024, 0.087, "metal", "silver black red blue green", "plain",
        "silver", weight=0.15),
    _family("folder", office.folder, 0.273, 0.346, "cardboard plastic", "", "plain plain noise", "white silver",
        weight=0.6),
    _family("printer", office.printer, 0.320, 0.500, "plastic", "white grey black", "plain", "white black", weight=0.5),
    _family("router", office.router, 0.151, 0.426, "plastic", "black white grey", "plain", "? green", weight=0.6),
    _family("charger", office.charger, 0.047, 0.735, "plastic", "black white grey", "plain", "black silver",
        weight=0.6),
    _family("power strip", office.power_strip, 0.177, 0.705, "plastic", "white black grey", "plain", "black red",
        weight=0.6),
    _family("cable", office.cable, 0.094, 0.588, "rubber plastic", "black white grey blue yellow orange red", "plain",
        "? black", weight=0.7),
    _family("microphone", office.microphone, 0.165, 0.437, "metal plastic", "black silver grey", "plain",
        "silver black", weight=0.5),
    _family("radio", office.radio, 0.142, 0.480, "plastic wood", "", "plain", "black silver", weight=0.6),
    _family("projector", office.projector, 0.104, 0.403, "plastic", "white black grey", "plain", "black grey",
        weight=0.4),
    _family("hair dryer", office.hair_dryer, 0.162, 0.549, "plastic", "", "plain", "black black", weight=0.6),
    _family("fan", office.fan, 0.132, 0.500, "plastic metal", "white black silver grey blue", "plain", "? ?",
        weight=0.5),
    # hardware
    _family("tape measure", hardware.tape_measure, 0.048, 0.238, "plastic", "yellow black orange red blue", "plain",
        "black yellow", weight=0.6),
    _family("glue gun", hardware.glue_gun, 0.133, 0.282, "plastic", "blue black green orange yellow", "plain",
        "black white", weight=0.5),
    _family("spirit level", hardware.spirit_level, 0.195, 0.689, "metal plastic", "yellow red silver blue", "plain",
        "green black", weight=0.5),
    _family("axe", hardware.axe, 0.303, 0.792, "wood wood plastic", "brown beige black red yellow", "plain wood",
        "silver", weight=0.4),
    _family("dustpan", hardware.dustpan, 0.258, 0.442, "plastic metal", "", "plain", "? ?", weight=0.5),
    _family("key", hardware.key, 0.042, 0.140, "metal", "silver yellow grey", "plain", "black silver", weight=0.4),
    _family("chain", hardware.chain, 0.036, 0.568, "metal", "silver grey black yellow", "plain", weight=0.4),
    _family("nail", hardware.nail, 0.024, 0.128, "metal", "silver grey", "plain", weight=0.15),
    _family("screw", hardware.screw, 0.014, 0.110, "metal", "silver yellow grey black", "plain", "black", weight=0.15),
    _family("nut", hardware.nut, 0.0087, 0.081, "metal", "silver yellow grey", "plain", weight=0.15),
    # wear and sports
    _family("watch", wear.watch, 0.053, 0.235, "metal plastic", "silver black yellow white", "plain", "? white",
        weight=0.6),
    _family("glasses", wear.glasses, 0.121, 0.188, "plastic metal", "black brown red blue silver", "plain",
        "black ?", weight=0.6),
    _family("glove", wear.glove, 0.157, 0.255, "fabric leather rubber", "", "plain plain stripes noise", "?",
        weight=0.6),
    _family("sock", wear.sock, 0.073, 0.474, "fabric", "", "plain stripes stripes dots", "?", weight=0.6),
    _family("belt", wear.belt, 0.064, 0.268, "leather leather fabric", "brown black beige red", "plain", "silver",
        weight=0.5),
    _family("rope", wear.rope, 0.180, 0.470, "fabric", "beige white brown blue orange green", "plain noise",
        weight=0.5),
    _family("umbrella", wear.umbrella, 0.216, 0.972, "fabric", "", "plain plain stripes checks dots", "? ?",
        weight=0.5),
    _family("dumbbell", wear.dumbbell, 0.163, 0.357, "metal rubber plastic", "black grey silver red blue pink", "plain",
        "silver", weight=0.5),
    _family("tennis racket", wear.tennis_racket, 0.250, 0.848, "plastic wood", "", "plain", "? ?", weight=0.4),
    _family("skateboard", wear.skateboard, 0.639, 0.885, "wood", "", "plain wood print", "? silver", "floor", 0.4),
    _family("drum", wear.drum, 0.181, 0.602, "wood metal", "", "plain wood", "white ?", weight=0.4),
    _family("violin", wear.violin, 0.447, 0.786, "wood", "brown orange", "wood", "black white", weight=0.4),
    _family("suitcase", wear.suitcase, 0.470, 1.284, "plastic fabric leather", "", "plain", "black ?", "floor", 0.6),
    _family("backpack", wear.backpack, 0.391, 0.738, "fabric", "", "plain plain checks noise", "? black", "both", 0.6),
    # cloth, paper and bags
    _family("towel", soft.cloth, 0.08, 0.62, "fabric", "", "plain noise stripes checks", weight=5),
    _family("shirt", soft.shirt, 0.14, 1.1, "fabric", "", "plain stripes checks noise", place="both", weight=1.2),
    _family("jacket", soft.jacket, 0.2, 1.35, "fabric leather", "", "plain noise", place="both", weight=0.8),
    _family("trousers", soft.trousers, 0.13, 0.95, "fabric", "blue black grey beige brown", "plain noise",
        place="both", weight=0.8),
    _family("scarf", soft.scarf, 0.1, 0.9, "fabric", "", "plain stripes checks", weight=1.5),
    _family("blanket", soft.blanket, 0.2, 1.3, "fabric", "", "plain noise checks stripes", place="floor", weight=0.8),
    _family("napkin", soft.napkin, 0.05, 0.35, "paper fabric", "", "plain dots checks", weight=2.5),
    _family("paper", soft.paper, 0.025, 0.45, "paper", "white white white yellow beige", "plain plain print", weight=3),
    _family("magazine", soft.magazine, 0.18, 0.5, "paper", "", "print print label", weight=2),
    _family("newspaper", soft.newspaper, 0.2, 0.6, "paper", "white grey beige", "print", weight=1.2),
    _family("envelope", soft.envelope, 0.13, 0.37, "paper", "white white brown beige", "plain plain label", weight=1.5),
    _family("packet", soft.packet, 0.075, 0.29, "plastic paper", "", "print label stripes", weight=4),
    _family("bag", soft.bag, 0.12, 0.75, "fabric leather paper", "", "plain checks stripes", "?", "both", 1.2),
    _family("bag", soft.sack, 0.07, 0.5, "plastic", "", "plain plain print", "?", weight=3),
    # tools, toys and unnamed things in more varied forms
    _family("wrench", wide.wrench, 0.085, 0.46, "metal", _METAL, "plain", "? ?", weight=0.6),
    _family("hammer", wide.hammer, 0.19, 0.47, "wood plastic", "brown beige black red", "plain", "silver ?",
        weight=0.8),
    _family("pliers", wide.pliers, 0.085, 0.33, "metal", _METAL, "plain", "red", weight=0.6),
    _family("toy animal", wide.plush, 0.07, 0.6, "plush", "", "noise", "?", weight=1),
    _family("thing", carved.carved, 0.049, 0.351, "plastic wood metal", "", "plain noise stripes print", weight=3),
)  # fmt: skip
"""All families of today's edition."""
