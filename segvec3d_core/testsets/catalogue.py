"""The models that the test sets use, chosen by hand: single things of realistic size.

Models are listed by library, under the names of their files there.
"""

from __future__ import annotations

from typing import Literal

Place = Literal["item", "support", "wall", "free"]
"""Where a model stands. "item": on a table; "support": it is the table; "wall": furniture with its back to a wall;
"free": furniture that stands anywhere."""

LIBRARIES = ("BlendSwap-CC-0", "BlendSwap-CC-BY", "KatorLegaz", "Scopia")
"""Furniture libraries of Debian's package sweethome3d-furniture."""

FURNITURE: dict[Place, dict[str, str]] = {
    "item": {
        "BlendSwap-CC-0": """
            comb cosmeticsPot flacon cartoon_biplane housePuzzle teddyBear handbag woodToy butter caffe_final kitchenaid
            mamadeira plasticCup tetrapak yogurtBottle beerGlass bread coffeeBrewer cupcake hotDog desklamp
            JapaneseLantern deer littlePlant cactus speaker2 tableFan headphones iphone basketball cissors_swap ruler
            textMarker kalender numberLock potty""",
        "BlendSwap-CC-BY": """
            lipStick carrito-de-madera clock rubix2 toyTrain beer_bottle boiler choppingBoard coffee_cup fork glass
            kitchenKnife knife largePan microwave spoon kitchenScale cocktailGlass coffeePress espressokettle hamburger
            saltShaker campingLamp wirelessOfficePhone3 luckyBamboo succulentPlant backpack book gift mobile radio
            thermometer ballonFoot sunglasses tableTennisBat laptop mp3Station breadBox kitchenblender towel""",
        "KatorLegaz": """
            spray-bottle ashtray bowl coffee-maker coffee-mug 12-oz-glass highball-glass dinner-plate bread-plate
            red-wine-bottle-01 flashlight tape-measure stapler apple-ibook-2001 newspaper recycling-bin""",
        "Scopia": """
            com_bath com_bath2_cepillo com_bath2_esponja com_bath2_jabon_pijo com_bath2_peineta com_bath2_soap
            com_bath3_toalla medicoscopia_bottle medicoscopia_bottle2 medicoscopia_box folded_clothes doll casquette
            chapeau casque montre montre-with-pose gant-textured bowl old_jar pottery kitchen_tool1 kitchen_tool2
            kitchen_tool3 kitchen_tool4 tray wine_bottle creamer cup sugar teapot birthday_cake squeezer roasted-chicken
            electronicScale kitchenKnifeStandSet paperTowelHolder sandwichMaker spiceTower stoneGrillDevice toaster
            complements2 candle desk_lamp1 desk_lamp2 dvd tv-remote-control ps4-joystick playstation4 vase1 vase2 jar
            frame1 frame2 glasses basic_camera reflex_camera mp3_base_for_ipad tablet rouleau-de-ruban-adhesif
            perceuse-electrique marteau tournevis cendrier keys bandeja phone pencil1 pencil2 little_lamp1
            table_lamp bonsai-tree video-projector CCTV rounded-switch""",
    },
    "support": {
        "BlendSwap-CC-0": "oakTable tableWithTablecloth table lbDesk",
        "BlendSwap-CC-BY": "cafe_set_mota_table cafe_set_tonon_table coffeeTable table simpleDesk biurko3 officeTable",
        "KatorLegaz": "cafe-table folding-table",
        "Scopia": """
            black_table table4 wooden_table_office white_kitchen_table coffee_table saloon_table living_room_table
            coffee-table2 table-on-trestles table-with-leaning-feet round-table wooden_office_pear_table_rect
            kids_desk_table""",
    },
    "wall": {
        "BlendSwap-CC-0": """
            washbasin toiletsUnit bidet modernVanity bed1 bed2 bed3 bedWithTexture bedsideTable2 cupboard
            wardrobeWithSlidingDoors doubleOven refrigerator drawersCabinet lowerCabinet highCabinet largeFridge
            sinkCabinet bookcase L_shaped_sofa shelves televisionCabinet verticalShelves couch sofa2 winchesterSofa
            radiator radiator2 speaker3""",
        "BlendSwap-CC-BY": """
            bath_jay_hardy toilets_unit_jay_hardy washbasin_jay_hardy modernToilet bedsideTable bunkBed juniorBed
            wardrobe wardrobe2 lettoCloud chest kitchenDrawersCabinet kitchenLowerCabinet kitchenSink largeStove
            washing_machine piano sofa2 sofa3 tvStand bookcase couch3 dresserWithDrawers workbench sef-kasa""",
        "KatorLegaz": "fridge propane-stove futon-couch mid-century-sofa utility-shelving full-bookcase filing-cabinet",
        "Scopia": """
            bathroom_vanity bed1 iron_bed wardrobe1 kids_shelves changing-table dressing-table captains-bed crib
            clothes_washing_machine dryer_machine chest-freezer clear_sofa simple_sofa beige_sofa burlap_sofa
            leather_sofa sofa_white_beige fireplace1 office_furniture1 aquarium water_cooler small-urinal""",
    },
    "free": {
        "BlendSwap-CC-0": """
            toiletBrush caballito stool stool2 silla2 oakChair plasticChair sillaBlanca armchair2 chair modernArmchair
            antiqueChair chairWithCushion decorativePlant chair2 osakaChair plant designChair thonet pianoBench table
            oakTable crate barrel fireExtinguisher riggedFan box armchair dustbin electricGuitar umbrellaFolded""",
        "BlendSwap-CC-BY": """
            cafe_set_mota_chair cafe_set_tonon_chair chairWithCushion childChair coffeeTable ella_chair_f green_stool
            leaf_chair table mediumIndoorPlant yuccaPlant armchair1 fotel foldingChair plaidChair kitchenChair chair3
            chair4 suitcase classSeat armChair2 simpleDesk backpack wheelchair""",
        "KatorLegaz": """
            bullet-trash-can mid-century-chair bar-stool bench dining-chair office-chair trunk-large recycling-bin
            cafe-chair cafe-table residential-trashcan""",
        "Scopia": """
            clothes-basket doll-house bar_chair kitchen_stool baby_high_chair shopping-basket armchair3 armchair
            armchair1 chair3 chair4 saloon_table coffee_table maceta tubular_chair armchair2 modern_armchair
            plastic_chair table_wood_and_iron white_kitchen_chair white_kitchen_table puff coffee-table2 round-table
            children_chair children_table ryokanChair vase5 cardboard-box open-cardboard-box indoor-bike office_chair
            step-ladder-wood stroller tricycle clothes-horse""",
    },
}  # fmt: skip
"""Models of sweethome3d-furniture, by where they stand and by library."""

NAMED: dict[str, tuple[str, float]] = {
    "objects/mug.obj": ("mug", 0.12), "duck.obj": ("toy duck", 0.12), "soccerball.obj": ("ball", 0.11),
    "lego/lego.obj": ("toy brick", 0.032), "domino/domino.obj": ("domino", 0.05), "jenga/jenga.obj": ("block", 0.09),
    "tray/tray_textured.obj": ("tray", 0.35), "bunny.obj": ("bunny", 0.15), "toys/prism.obj": ("prism", 0.05),
    "toys/concave_box.obj": ("box", 0.15), "toys/shape_sorter.obj": ("shape sorter", 0.18),
    "teddy2_VHACD_CHs.obj": ("teddy bear", 0.16), "torus/torus_textured.obj": ("ring", 0.1),
}  # fmt: skip
"""Named models of pybullet_data, by file: their name, and their longest edge in metres."""

UNNAMED = tuple(n for n in range(0, 1000, 4) if n != 168)
"""Numbers of the random objects of pybullet_data that are used, with the name "thing"; 168 is empty."""
UNNAMED_EDGE = (0.02, 0.15)
"""Range of the longest edge of a random object, metres; its number determines the value."""
