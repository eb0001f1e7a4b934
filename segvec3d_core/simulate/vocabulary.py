"""The nouns of homes, offices and workshops, with synonyms, hypernyms and uses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun that a person would use for a thing in a room.

    Attributes:
        name: the noun.
        synonyms: other names for the same thing.
        hypernyms: wider classes that it belongs to.
        uses: what it is for, as one would ask ("something to drink from").
    """

    name: str
    synonyms: tuple[str, ...]
    hypernyms: tuple[str, ...]
    uses: tuple[str, ...]


# noun | synonyms | hypernyms | uses
_TABLE = """
box | package, carton, cardboard box | container | something to keep things in
cereal box | box of cereal, cereal, breakfast cereal | box, container, food | something to eat for breakfast
tea box | box of tea, tea package | box, container | something to make tea with
carton | drink carton, milk carton, juice box | container, drink | something to drink
packet | bag of crisps, chips bag, snack bag | container, food, snack | something to snack on
tissue box | box of tissues, tissues | box | something to blow your nose with
book | novel, hardback, paperback | reading matter | something to read
notebook | notepad, pad | stationery | something to write in
mug | coffee mug, coffee cup | cup, container, dish | something to drink from
cup | beaker, teacup, paper cup | container, dish | something to drink from
glass | drinking glass, wine glass, tumbler | container, dish | something to drink from
bowl | dish, soup bowl, salad bowl | container, dish | something to eat soup from
plate | dish, dinner plate | dish | something to eat from
can | drink can, food can, soda can | container | something that holds food or drink
tin | tin box, biscuit tin, cookie tin | container, box | something to keep biscuits in
canister | tub, storage jar, food container | container | something to store food in
jar | jam jar, glass jar | container | something that holds jam
bottle | flask, water bottle | container, drink | something to drink from
detergent bottle | shampoo bottle, soap bottle, bleach bottle | bottle, container | something to wash with
spray bottle | sprayer, cleaner bottle | bottle, container | something to clean windows with
pot | cooking pot, saucepan | cookware, container | something to cook in
pan | frying pan, skillet | cookware | something to fry eggs in
teapot | tea pot | container | something to pour tea from
kettle | water kettle, electric kettle | appliance, container | something to boil water with
pitcher | jug, carafe | container | something to pour from
vase | flower vase | container, decoration | something to put flowers in
bucket | pail | container | something to carry water in
tray | serving tray | container | something to carry dishes on
basket | wicker basket | container | something to carry things in
apple | fruit | fruit, food | something healthy to eat
pear | fruit | fruit, food | something healthy to eat
banana | fruit | fruit, food | something healthy to eat
orange | fruit, tangerine | fruit, food | something to make juice from
lemon | fruit | fruit, food | something sour
peach | fruit | fruit, food | something sweet to eat
strawberry | berry | fruit, food | something sweet to eat
carrot | vegetable | vegetable, food | something to eat
cucumber | vegetable | vegetable, food | something for a salad
bell pepper | pepper, paprika | vegetable, food | something for a salad
tomato | vegetable | vegetable, food | something for a salad
potato | vegetable | vegetable, food | something to cook
egg | hen's egg | food | something to fry
bread | loaf, bread roll, bun | food | something to make a sandwich from
doughnut | donut, ring | food, pastry | something sweet to eat
cake | muffin, cupcake, pie | food, pastry | something sweet to eat
spoon | tablespoon, teaspoon, ladle | cutlery, utensil | something to eat soup with, something to stir with
fork | table fork | cutlery, utensil | something to eat with
knife | kitchen knife | cutlery, utensil, tool | something to cut with
spatula | turner | utensil | something to turn pancakes with
whisk | egg beater | utensil | something to beat eggs with
rolling pin | dough roller | utensil | something to roll dough with
cutting board | chopping board | kitchenware | something to cut on
pen | ballpoint pen, marker, felt pen | stationery, writing tool | something to write with
pencil | crayon | stationery, writing tool | something to write with, something to draw with
scissors | pair of scissors, shears | tool, stationery | something to cut paper with
screwdriver | screw driver | tool | something to turn screws with
hammer | mallet | tool | something to drive nails with
wrench | spanner | tool | something to tighten nuts with
pliers | pincers, tongs | tool | something to grip with
drill | power drill, cordless drill, electric drill | tool, power tool | something to make holes with
clamp | clip, vice | tool | something to hold parts together
tape roll | tape, adhesive tape, duct tape | stationery | something to stick things together
saw | hand saw | tool | something to cut wood with
flashlight | torch | light, tool | something to see in the dark with
brush | hairbrush, paint brush, scrubbing brush | tool | something to brush with
toothbrush | tooth brush | toiletry | something to clean your teeth with
battery | cell | electronics | something that gives power
phone | mobile phone, smartphone, cell phone | electronics, device | something to call with
tablet | tablet computer | electronics, computer | something to read on
remote control | remote, controller | electronics, device | something to switch channels with
keyboard | computer keyboard | electronics, device | something to type on
mouse | computer mouse | electronics, device | something to click with
laptop | notebook computer, portable computer | electronics, computer | something to work on
monitor | screen, display | electronics | something to look at
speaker | loudspeaker | electronics | something to play music with
camera | photo camera | electronics, device | something to take pictures with
headphones | headset, earphones | electronics | something to listen to music with
lamp | table lamp, floor lamp, desk lamp | light, furniture | something that gives light
clock | wall clock, table clock | device | something that shows the time
alarm clock | clock radio | clock, device | something to wake up with
shoe | sneaker, trainer, boot | clothing, footwear | something to wear on your feet
hat | cap | clothing | something to wear on your head
bag | handbag, backpack, shopping bag | container, luggage | something to carry things in
purse | wallet | container | something to keep money in
soap | bar of soap | toiletry | something to wash hands with
sponge | cleaning sponge | cleaning thing | something to wash dishes with
candle | wax candle | light, decoration | something to light in the evening
toilet paper | paper roll, kitchen roll, paper towel | paper | something to wipe with
plant | houseplant, potted plant, flower | decoration | something that needs watering
toaster | bread toaster | appliance | something to toast bread with
coffee machine | coffee maker | appliance | something to make coffee with
guitar | acoustic guitar | musical instrument | something to play music on
pillow | cushion | bedding | something to rest your head on
ball | toy ball | toy, sports equipment | something to throw
toy block | building block, wooden block, cube | toy | something to build with
toy brick | building brick | toy | something to build with
toy car | model car, toy truck | toy, vehicle | something for a child to play with
toy animal | plush toy, stuffed animal, teddy bear | toy | something to cuddle
doll | figure, figurine | toy | something for a child to play with
puzzle cube | magic cube | toy, game | something to solve
die | dice | game | something to roll in a game
trophy | prize cup | decoration | something that one wins
picture frame | photo frame, picture | decoration | something to look at
globe | world globe | decoration | something that shows the world
glue | glue stick | stationery | something to stick things together
tube | toothpaste, tube of cream | container, toiletry | something to squeeze
padlock | lock | hardware | something to lock with
stapler | staple gun | stationery, tool | something to fasten paper with
calculator | pocket calculator | electronics, device | something to add numbers with
game controller | gamepad, joystick | electronics, toy | something to play games with
thing | object, item | object | something
chair | office chair, armchair | seat, furniture | something to sit on
stool | bar stool | seat, furniture | something to sit on
table | dining table | furniture | something to put things on
coffee table | low table, side table | table, furniture | something to put things on
desk | writing desk, office desk | table, furniture | something to work at
sofa | couch, settee | seat, furniture | something to sit on, something to lie on
bed | double bed | furniture | something to sleep in
cabinet | cupboard, wardrobe, closet | furniture, storage | something to keep clothes in
drawer | chest of drawers, dresser | furniture, storage | something to keep clothes in
shelf | shelves, rack | furniture, storage | something to put things on
bookcase | bookshelf | furniture, storage | something to keep books in
sink | washbasin, basin | fixture | something to wash hands in
toilet | lavatory | fixture | something to sit on in the bathroom
door | room door | fixture | something to go through
fridge | refrigerator, freezer | appliance | something to keep food cold
washing machine | washer | appliance | something to wash clothes in
microwave | microwave oven | appliance | something to warm food in
trash can | bin, waste basket, rubbish bin | container | something to throw rubbish in
television | TV, TV set | electronics | something to watch
bathtub | bath | fixture | something to bathe in
radiator | heater | fixture | something that warms the room
wall | room wall | surface | something that bounds a room
floor | ground | surface | something to walk on
ceiling | room ceiling | surface | something overhead
shampoo | hair shampoo | toiletry | something to wash your hair with
toothpaste | tooth paste | toiletry | something to clean your teeth with
towel | hand towel, tea towel | cloth | something to dry with
blanket | duvet, quilt | bedding | something to keep warm in bed
curtain | drapes | furnishing | something that keeps light out
carpet | rug, mat | furnishing | something soft to stand on
mirror | looking glass | furniture | something to see yourself in
painting | wall picture, artwork | decoration | something to look at
poster | wall poster | decoration | something to look at
window | pane | fixture | something to look out of
blind | window blind, shutter | furnishing | something that keeps light out
counter | worktop, kitchen counter | furniture | something to work on
oven | stove, cooker | appliance | something to bake in
hob | cooktop, stove top | appliance | something to cook on
dishwasher | dish washer | appliance | something to wash dishes in
blender | mixer, food processor | appliance | something to mix drinks with
iron | clothes iron | appliance | something to smooth shirts with
vacuum cleaner | hoover | appliance | something to clean carpets with
fan | ventilator | appliance | something that cools the air
heater | electric heater | appliance | something that warms the room
hair dryer | hairdryer, blow dryer | appliance | something to dry your hair with
printer | laser printer | electronics | something to print with
scanner | document scanner | electronics | something to scan with
computer | PC, desktop computer | electronics, computer | something to work on
projector | beamer | electronics | something to show slides with
router | modem | electronics | something that connects to the internet
cable | wire, cord | electronics | something to connect devices with
charger | power supply, adapter | electronics | something to charge a phone with
power strip | extension lead, socket strip | electronics | something to plug things into
microphone | mike | electronics | something to record sound with
radio | radio set | electronics | something to listen to
watch | wristwatch | clothing, device | something that shows the time
glasses | spectacles, sunglasses | clothing | something to see better with
key | door key, keys | hardware | something to open a lock with
coin | money | money | something to pay with
card | credit card, bank card | money | something to pay with
umbrella | parasol | accessory | something against rain
glove | mitten | clothing | something to keep hands warm
sock | stocking | clothing | something to wear on your feet
shirt | T-shirt, blouse | clothing | something to wear
jacket | coat | clothing | something to wear outside
trousers | pants, jeans | clothing | something to wear
scarf | shawl | clothing | something to keep your neck warm
belt | leather belt | clothing | something to hold trousers up
suitcase | trunk | luggage, container | something to travel with
backpack | rucksack | bag, luggage | something to carry on your back
envelope | letter | paper, stationery | something to post
paper | sheet of paper | stationery | something to write on
newspaper | paper, daily | reading matter | something to read
magazine | journal | reading matter | something to read
folder | binder, ring binder | stationery, container | something to keep papers in
ruler | straightedge | stationery, tool | something to measure with
eraser | rubber | stationery | something to rub out with
paper clip | clip | stationery | something to hold papers together
tape measure | measuring tape | tool | something to measure with
nail | tack | hardware | something to hang a picture on
screw | bolt | hardware | something to fasten with
nut | hexagon nut | hardware | something to fasten with
pin | drawing pin, thumbtack | stationery | something to fix paper with
rope | string, line | hardware | something to tie with
chain | steel chain | hardware | something to fasten with
ladder | step ladder | tool | something to climb on
broom | sweeper | cleaning thing | something to sweep with
mop | floor mop | cleaning thing | something to wipe the floor with
dustpan | dust pan | cleaning thing | something to sweep into
glue gun | hot glue gun | tool | something to stick things together
spirit level | level | tool | something to check that it is even
axe | hatchet | tool | something to chop wood with
shovel | spade | tool | something to dig with
paint can | tin of paint | container | something to paint with
watering can | garden can | container | something to water plants with
flower pot | plant pot, planter | container | something to grow plants in
thermos | vacuum flask, thermos flask | bottle, container | something that keeps coffee hot
lunch box | sandwich box | container, box | something to carry food in
egg carton | egg box | container | something that holds eggs
salt shaker | pepper shaker, pepper mill | container | something to season food with
corkscrew | bottle opener, tin opener | utensil | something to open a bottle with
grater | cheese grater | utensil | something to grate cheese with
sieve | strainer, colander | utensil | something to drain pasta with
funnel | kitchen funnel | utensil | something to fill bottles with
ladle | soup ladle | utensil | something to serve soup with
chopsticks | pair of chopsticks | cutlery | something to eat noodles with
napkin | serviette | paper | something to wipe your mouth with
grape | grapes | fruit, food | something sweet to eat
plum | prune | fruit, food | something sweet to eat
pineapple | ananas | fruit, food | something sweet to eat
watermelon | melon | fruit, food | something sweet to eat
kiwi | kiwi fruit | fruit, food | something sweet to eat
mango | fruit | fruit, food | something sweet to eat
avocado | avocado pear | fruit, food | something for a salad
onion | bulb | vegetable, food | something to cook with
garlic | garlic bulb | vegetable, food | something to cook with
mushroom | champignon | vegetable, food | something to cook
corn | maize, corn cob | vegetable, food | something to eat
lettuce | salad, cabbage | vegetable, food | something for a salad
cheese | block of cheese | food | something to put on bread
meat | steak, sausage | food | something to grill
sandwich | burger, hamburger | food | something to eat for lunch
pizza | pizza slice | food | something to eat for dinner
cookie | biscuit | food, snack | something sweet to eat
chocolate | chocolate bar | food, snack | something sweet to eat
milk | bottle of milk | drink | something to drink
bench | wooden bench | seat, furniture | something to sit on
armchair | easy chair | seat, furniture | something to sit on
wardrobe | closet | furniture, storage | something to hang clothes in
nightstand | bedside table | furniture | something to put things on beside the bed
crib | cot, baby bed | furniture | something for a baby to sleep in
whiteboard | board, blackboard | furniture | something to write on
shower | shower cabin | fixture | something to wash in
tap | faucet | fixture | something that water comes from
stairs | steps, staircase | fixture | something to go up
column | pillar | fixture | something that holds the ceiling
bicycle | bike | vehicle | something to ride
skateboard | board | toy, sports equipment | something to ride
tennis racket | racket, bat | sports equipment | something to hit a ball with
dumbbell | weight | sports equipment | something to train with
piano | keyboard instrument | musical instrument | something to play music on
violin | fiddle | musical instrument | something to play music on
drum | tambourine | musical instrument | something to beat
"""


def _read(table: str) -> dict[str, Noun]:
    """Parse the table; raises ValueError if a line is malformed or its noun is given twice."""
    nouns: dict[str, Noun] = {}
    for line in table.strip().splitlines():
        name, *rest = (cell.strip() for cell in line.split("|"))
        lists = [tuple(w.strip() for w in cell.split(",") if w.strip()) for cell in rest]
        if len(lists) != 3 or name in nouns:
            raise ValueError(f"vocabulary: expected 'noun | synonyms | hypernyms | uses' once per noun, got {line!r}")
        nouns[name] = Noun(name, *lists)
    return nouns


NOUNS: dict[str, Noun] = _read(_TABLE)
"""Every noun by name, in the order of the table."""


def synonyms_of(name: str) -> tuple[str, ...]:
    """Other names of a noun.

    Raises:
        KeyError: the noun is not in the vocabulary.
    """
    return NOUNS[name].synonyms
