"""Vocabulary and patterns of the query grammar; used by ``query``, ``questions``, ``nouns`` and ``negations``."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_DEPTH = 4
"""Maximum nesting of anchors that is parsed; deeper ones stay in the phrase."""

NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "both": 2, "a couple of": 2,
}  # fmt: skip
ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12,
    **{f"{n}{'th' if n // 10 == 1 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}": n for n in range(1, 100)},
}  # fmt: skip

COLORS = (
    "red", "orange", "yellow", "green", "blue", "turquoise", "purple", "pink", "brown", "beige", "black", "grey",
    "gray", "white", "silver", "transparent", "clear", "violet", "cyan", "golden", "dark", "bright", "colourful",
)  # fmt: skip
MATERIALS = (
    "wooden", "wood", "metal", "plastic", "glass", "ceramic", "paper", "cardboard", "leather", "fabric", "steel",
    "rubber", "foam", "stone", "wax", "organic",
)  # fmt: skip
QUALITIES = (*COLORS, *MATERIALS)
GENERIC = (
    "thing", "things", "object", "objects", "item", "items", "one", "ones", "something", "anything", "everything",
    "stuff", "something else", "anything else", "everything else",
)  # fmt: skip
NO_SURFACE = re.compile(
    r"(?:(?!(?:with|without|of|that|which|for|to|on|in|and|full|holding|carrying|containing|made)\b)[\w'-]+ )*"
    r"(?:things?|objects?|items?)(?: (?:that|which|made|with|without) .*)?"
)
"""Phrases that mean objects but no surfaces: nobody calls a wall "the beige thing"."""
ALL = ("everything", "stuff")
PLURALS = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse", "feet": "foot",
    "teeth": "tooth",
}  # fmt: skip
"""Plurals without a final s, and their singulars."""
_LESS_ES = (
    "buses", "lenses", "gases", "canvases", "octopuses", "cactuses", "viruses", "irises", "potatoes", "tomatoes",
    "mangoes", "dominoes",
)  # fmt: skip
_LESS_S = (
    "cookies", "brownies", "hoodies", "pies", "ties", "bowties", "movies", "smoothies", "selfies", "quiches",
    "brioches", "headaches", "moustaches", "axes",
)  # fmt: skip
IRREGULAR = {
    **PLURALS, **{word: word[:-2] for word in _LESS_ES}, **{word: word[:-1] for word in _LESS_S},
    "shelves": "shelf", "bookshelves": "bookshelf", "knives": "knife", "scarves": "scarf", "loaves": "loaf",
    "leaves": "leaf", "halves": "half",
}  # fmt: skip
"""Irregular plurals and their singulars."""
ENDINGS = (
    (re.compile(r"(?<=[^\Waeiou])ies$"), "y"), (re.compile(r"(?<=ss|ch|sh|zz|.x)es$"), ""),
    (re.compile(r"(?<=\w\w\w)s$"), ""),
)  # fmt: skip
"""Rules for regular plurals: pattern and replacement; the first that matches applies."""
SUPPORTS = ("table", "tabletop", "table top", "desk", "floor", "ground", "shelf", "counter", "coffee table")
PRONOUNS = ("me", "us", "you")
SPEAKERS = (*PRONOUNS, "robot")
"""Words for the viewer next to whom a side is meant ("left of me"); a camera may also be an object on the table."""
VIEWER = (*SPEAKERS, "camera", "viewer", "sensor")
DETERMINERS = ("the ", "a ", "an ", "my ", "this ", "that ", "some ", "any ")


def any_of(words: Iterable[str]) -> str:
    """A regular expression for any of the words, longer ones first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


SHADE = rf"(?:(?:light|dark|bright|pale) )?(?:{any_of(QUALITIES)})"
"""Pattern of a colour or material: "red", "light blue", "wooden"."""
LOOK = rf"(?:(?:light|dark|bright|pale) )?(?:{any_of({*COLORS, 'wooden'} - {'orange'})})"
"""Pattern of a colour, or "wooden", that is not also a noun, as "orange" and "paper" are."""
QUOTES = str.maketrans("’", "'", "“”„«»()[]")
"""Unifies apostrophes, removes quotation marks and brackets."""
MARKS = " ?!.,;:\"'¿¡"
"""Characters stripped from both ends of a text."""

# Around the thing ------------------------------------------------------------------------------------------------

WHICH_IS = re.compile(r"^(?:that|which) (?:is|are) ")
WHAT = re.compile(
    r"^(?:what is|whatever is|what stands|what lies|what sits|what (?:do|can) (?:you|we|i) (?:see|have)) (?=\w)"
)
ARTICLE = re.compile(r"(?:the|an?|any|some|my|this|that|these|those) (?=\w)")
EVERYTHING = re.compile(r"(?:all|every|each|several|(?:an? |the )?few)(?: of)?(?: the)? (?=\w)")
_NO_COUNT = "ml|l|cm|mm|m|kg|g|with|that|which|(?:on|in)(?! (?:the|an?|my) )|of"
"""A number before one of these is not a count: "a 500 ml bottle", "the one with the handle"."""
COUNT = re.compile(
    rf"(?:(?:the|any|these|those|my) )?(\d{{1,3}}|{any_of(NUMBERS)})(?: of (?:the|my|these|those))?(?: the)? "
    rf"(?!(?:{_NO_COUNT}) )(?=\w)"
)
_NUMBER = rf"(?:\d{{1,3}}|{any_of(word for word in NUMBERS if word != 'one')})"
ALL_COUNTED = re.compile(rf"(?:all|each)(?: of)?(?: (?:the|my|these|those))? (?={_NUMBER} \w)")
""""All" before a number: "all three boxes"."""
COUNTED = re.compile(
    rf"^(?!\d+$)((?:all(?: of)? )?(?:(?:the|my|these|those) )?{_NUMBER})(?=$| (?:with|without|that|which) )"
)
"""A count without a noun: "all three", "the two with handles"."""
SINGULAR_S = (
    "ss", "us", "is", "gas", "canvas", "atlas", "lens", "glasses", "goggles", "binoculars", "scissors", "pliers",
    "tongs", "cutters", "clippers", "calipers", "headphones", "tweezers", "trousers", "jeans",
)  # fmt: skip
"""Endings of singular nouns that look like plurals."""
SINGULAR = (
    "pants", "shorts", "tights", "leggings", "overalls", "pyjamas", "pajamas", "spectacles", "earphones", "earbuds",
    "pincers", "shears", "secateurs", "forceps", "thermos", "ananas", "series", "species", "news", "christmas",
)  # fmt: skip
"""Whole words that are singular (or name a single object) but look like plurals."""
NAMED_SO = (
    "grapes", "tissues", "crisps", "fries", "keys", "stairs", "steps", "drapes", "clothes", "electronics", "chopsticks",
)  # fmt: skip
"""Plurals that may name a single object."""
DETAILS = re.compile(
    r" (?:with|without|not|of|on|in|inside|under|below|above|over|next|beside|behind|near|nearest|closest|between|left"
    r"|right|to|for|from|that|which|and|is|are|made|standing|lying|farthest|furthest|at|by|except|but|other than"
    r"|\w+er than)\b"
)
ONE = re.compile(r"(?:^| )ones?$")
OF_THE = re.compile(rf"^ ?(?:one )?of (?:all |these |those )?(?:the )?(?:(?:{any_of(NUMBERS)}) (?=\w))?")
SAID_OF_THINGS = re.compile(
    r"^(?:(?:(?:everything|anything|something|things?|objects?|items?|ones?) )?(?:(?:that|which) )?(?:is|are)"
    rf"|everything|anything) (?={SHADE}$)"
)
"""Generic words before a colour or material: "everything that is red", "things are red"."""
SAID_OF_A_THING = re.compile(rf"^(\w[\w' -]*?) (?:(?:that|which) )?(?:is|are) ({SHADE})$")
"""A noun with a colour or material: "mugs are red", "mug that is red"."""
FILLER_END = re.compile(
    r"(?: (?:that|which|who) (?:stands?|lies|sits?)|(?: (?:that|which|who))?(?: (?:is|are))?"
    r"(?:(?<! not) (?:standing|lying|sitting|placed|located|resting))?(?: the)?)$"
)

# Refused ---------------------------------------------------------------------------------------------------------

UNMEASURED = re.compile(
    r"\b(heaviest|newest|oldest|cheapest|most expensive|hottest|coldest|warmest|softest|hardest|strongest|cleanest"
    r"|dirtiest|fullest|emptiest|best|worst|nicest|prettiest|freshest)\b(?! before\b)"
)
"""Superlatives of properties that a point cloud does not show."""
NONE_OF = re.compile(r"^no (?=\w)")
NUMBER_COMPARED = re.compile(r"\b(?!other\b|rather\b)(?:\w+er|more|less) than (?:about |some )?\d")
SEVERAL_THINGS = re.compile(rf"^\w[\w' -]* and (?:{'|'.join(map(str.strip, DETERMINERS))}) \w")
PUT = re.compile(
    r"^(?:put|place|drop|insert|move|hang|pour) (?:the|my|an?|this|that) \w.* "
    r"(?:in|into|on|onto|to|next to|under|over|inside) (?:the|my|an?) "
)
CUT_SHORT = re.compile(r" (?:the|than|(?:of|to|in|on|from|with|and|or|under|above|behind|near|beside|between) an?)$")
"""A text that ends in mid-phrase; "an" alone may end a name ("Hoi An")."""

# Superlatives ----------------------------------------------------------------------------------------------------

SUPERLATIVES: dict[str, tuple[str, bool]] = {
    **dict.fromkeys(("biggest", "largest", "bigger", "larger", "hugest"), ("volume", True)),
    **dict.fromkeys(("smallest", "tiniest", "littlest", "smaller"), ("volume", False)),
    **dict.fromkeys(("tallest", "taller"), ("height", True)),
    **dict.fromkeys(("shortest", "shorter"), ("height", False)),
    **dict.fromkeys(("longest", "longer"), ("length", True)),
    **dict.fromkeys(("widest", "wider", "broadest"), ("width", True)),
    **dict.fromkeys(("narrowest", "narrower"), ("width", False)),
    **dict.fromkeys(("thinnest", "thinner", "flattest", "flatter", "slimmest"), ("thickness", False)),
    **dict.fromkeys(("thickest", "thicker"), ("thickness", True)),
    **dict.fromkeys(("highest", "topmost", "uppermost", "upper"), ("elevation", True)),
    **dict.fromkeys(("lowest", "bottommost", "lower"), ("elevation", False)),
    **dict.fromkeys(("leftmost", "left-most", "left", "left-hand"), ("left", True)),
    **dict.fromkeys(("rightmost", "right-most", "right", "right-hand"), ("left", False)),
    **dict.fromkeys(("nearest", "closest", "nearer", "closer", "frontmost"), ("distance", False)),
    **dict.fromkeys(("farthest", "furthest", "most distant", "farther", "further"), ("distance", True)),
    **dict.fromkeys(("middle", "central", "most central"), ("centrality", False)),
}
"""Word -> measure, and whether its largest value is meant. Comparatives are read as superlatives."""
ALSO_NOUNS = ("left", "right", "middle", "upper", "lower", "central")
SUPERLATIVE = re.compile(rf"(?:(?<=^)|(?<= ))(?<!\bi )(?<!\bwe )(?<!\byou )({any_of(SUPERLATIVES)})(?= |$)(?! than )")
OF_A_PART = re.compile(r" (?:with|without|has|have|holding|containing|of|for) (?!.*\b(?:that|which|is|are) )")
"""Text before a superlative that refers to a part of the thing: "the box with the smallest" label."""
RANKED_SUPERLATIVE = re.compile(rf"\b({any_of(ORDINALS)})-(?=(?:{any_of(SUPERLATIVES)})\b)")
"""Hyphenated: "the second-biggest box"."""
INNER_COUNT = re.compile(rf"({any_of(SUPERLATIVES)}) ({any_of(word for word in NUMBERS if word != 'one')})(?= \w)")
"""A count between superlative and noun: "the biggest two boxes". The "one" of "the biggest one" is not a count."""
UNNAMED = re.compile(rf"^(?: ones?(?={DETAILS.pattern})|(?= (?:with|without|that|which|made of|in|to|from) ))")
"""Follows a superlative that has no noun: "the biggest one with a handle", "the closest two to the table"."""
SIDES = {
    "left": ("left", True, "leftmost"), "right": ("left", False, "rightmost"),
    "top": ("elevation", True, "highest"), "bottom": ("elevation", False, "lowest"),
    "middle": ("centrality", False, "most central"), "centre": ("centrality", False, "most central"),
    "center": ("centrality", False, "most central"), "front": ("distance", False, "nearest"),
    "back": ("distance", True, "farthest"),
}  # fmt: skip
ORDINAL = re.compile(
    rf"({any_of(ORDINALS)})(?: (?!(?:aid|birthday|anniversary|hand|edition|class|prize|generation|century)\b)|$)"
)

DISTANCE_AROUND = re.compile(
    rf"^((?:(?:{any_of(ORDINALS)}) )?(?:(?:nearest|closest)(?= .* to )|(?:farthest|furthest)(?= .* from )))"
    r" (?:(?:one )?of (?:the |these |those )?)?(\w.*?) "
    rf"(to|from) (?=(?:{'|'.join(DETERMINERS)}|(?:{any_of(VIEWER)})\b)(?!(?:far |very )?(?:{any_of(SIDES)})\b))"
)
"""A distance phrase with the noun inside it: "the nearest box to the mug" for "the box nearest to the mug"."""

FEW_FROM_A_SIDE = re.compile(rf"(?:the )?(first|last) ({any_of(NUMBERS)}) (?=\w.* from the (?:{any_of(SIDES)})\b)")
LEFT_THERE = re.compile(
    r"(?: (?:that|which) (?:is|was|were|has been))?(?<!\bthe)(?<!\bfar)(?<!\bi)(?<!\bwe)(?<!\byou) left"
    r"(?= (?:on|in|under|at|by|behind|near|beside) (?:the|an?|my) )"
)
""""Left" that does not mean a side: "the mug that was left on the table"."""
AWAY = re.compile(r"\b(farthest|furthest|farther|further) away\b(?! from)")
FARTHEST_TO = re.compile(
    r" (?:(?:at|on|to) the )?(?:farthest|furthest)(?: to the)? (left|right)(?=$|,| (?:that|which|and)\b)"
)
FARTHEST_NOUN = re.compile(r"\b(?:farthest|furthest) (left|right) (?!of\b)(?=\w)")
SIDE_OF = re.compile(
    r"\b(?:on|to|at) ((?:the|my|an?) [\w ]+?)'s (left|right)(?:[ -]hand)?(?: side)?(?=$|,| (?:that|which|and)\b)"
)
"""Possessive sides: "on the laptop's left" means left of the laptop."""

# Negations -------------------------------------------------------------------------------------------------------

NON = re.compile(r"\bnon[- ](\w+)\b")
LACKS = ("without", "with no", "has no", "have no", "does not have", "do not have")
NEGATION = re.compile(
    rf"(?:^|(?<=[ ,]))(?:(?:that|which|who) (?:(?:is|are|has|have) )?)?({any_of(LACKS)}|neither|is not|are not"
    r"|does not|do not|but not|but(?! (?:is|are|has|have|does|do|with|without) )|except for|except|other than|not)"
    r"(?: made of)? "
)
_WHO = r"(?:(?:that|which|who) )?"
_DENIES = r"(?:is not|are not|does not|do not|has no|have no|with no|without|not|no) "
AFTER_DENIED = re.compile(
    rf"(?:,? (?:and|but)|,) (?={_WHO}(?:is|are|has|have|does|do|with|without|not|no) )|,? or (?={_WHO}{_DENIES})"
    r"|,? but "
)
"""Where a negation ends: "not red and has a handle", "not red but blue", "not red and is not blue"."""
LACKED_AND = re.compile(rf",? and (?={LOOK}$)")
"""Where a list of lacked parts ends: "without a handle and red"."""
INSTEAD = re.compile(r",? but (?!not )")
"""After the excluded thing: "not the red mug but the blue one"."""
AND_END = re.compile(r",? (?:and|but)$")
WHO = re.compile(f"^{_WHO}")
DENIES = re.compile(f"^{_DENIES}")
NO = re.compile(r"^no ")
WITH = re.compile(r"^(?:with|has|have) ")
IS = re.compile(r"^(?:is|are) ")
MOST_DENIED = 12
"""Maximum number of things excluded by an order: "all but the two biggest"."""
PARTS = re.compile(rf"(?:,? (?:and|or|nor)(?: not)?|,) (?=(?:{'|'.join(DETERMINERS)}))")
"""Separator of the things in a list: "except the red one and the one on the left"."""
OR = re.compile(r",? (?:or|nor|and) (?!(?:is|are|has|have) )|, ")
EITHER_OR = re.compile(r",? or |, ")

# Relations -------------------------------------------------------------------------------------------------------

RELATIONS: dict[str, str] = {
    **dict.fromkeys(("on top of", "on", "upon", "atop", "onto"), "on"),
    **dict.fromkeys(("inside of", "inside", "in", "within", "into"), "in"),
    **dict.fromkeys(("underneath", "under", "beneath", "below"), "under"),
    **dict.fromkeys(("above", "over"), "above"),
    **{
        f"{before}{side}{hand}{after} of": f"{side} of"
        for side in ("left", "right")
        for before in ("", "to the ", "on the ", "at the ")
        for hand in ("", "-hand", " hand")
        for after in ("", " side")
    },
    **dict.fromkeys(
        ("next to", "beside", "besides", "near to", "near", "close to", "by", "adjacent to", "alongside", "at"),
        "next to",
    ),
    **dict.fromkeys(("in between", "between"), "between"),
    **dict.fromkeys(("behind", "in back of", "at the back of"), "behind"),
    **dict.fromkeys(("in front of", "at the front of"), "in front of"),
    **dict.fromkeys(("nearest to", "closest to", "nearer to", "closer to", "nearest", "closest"), "nearest to"),
    **{
        f"{far}{away} from": "farthest from"
        for far in ("farthest", "furthest", "farther", "further", "far")
        for away in ("", " away")
    },
    "away from": "farthest from",
    **dict.fromkeys(("bigger than", "larger than"), "bigger than"),
    **dict.fromkeys(("wider than", "broader than"), "wider than"),
    **dict.fromkeys(("thinner than", "flatter than", "slimmer than"), "thinner than"),
    **{
        f"{more} than": f"{more} than"
        for more in ("smaller", "taller", "shorter", "longer", "narrower", "thicker", "higher", "lower")
    },
}
"""Preposition -> relation."""
COMPARED = re.compile(
    rf"\b({any_of(name.split()[0] for name in RELATIONS if name.endswith(' than'))}) "
    r"(?!(?:and|or|but)\b)(\w+(?: \w+)?) than (?=\w)"
)
"""A comparative before its noun: "a bigger box than the mug" for "a box bigger than the mug"."""
TWO_RELATIONS = re.compile(
    rf"\b({any_of(RELATIONS)}) and ({any_of(RELATIONS)}) ((?:{'|'.join(DETERMINERS)})"
    rf"\w[\w' -]*?)(?=$|,| (?:that|which|and|but|{any_of(RELATIONS)}) )"
)
"""Two relations to one anchor: "in front of and left of the bowl"."""
AT_A_SIDE = re.compile(
    r"(?:(?:to|on|at) the )?(?:left|right) of (?=\w)|(?:behind|in front of|next to|beside) (?=the |my )"
    r"|(?:the )?(?:(?:nearest|closest) to|(?:farthest|furthest) from) (?=\w)"
)
"""Start of a text that omits the thing: "left of the bowl"."""
DISTANCES = ("nearest to", "farthest from")
USE = re.compile(
    r"(?:something|anything|a thing|an object|things?|stuff|one|it)(?: \w+)? (?:to|for|in which|(?:that|which)"
    r"(?! (?:is|are|was|were|stands?|lies?|sits?|hangs?)(?: not)?(?: (?:standing|lying|sitting|resting|hanging))? "
    rf"(?:{any_of(RELATIONS)}) ))\b"
)
"""A thing described by its use: "something that is put on bread", but not "something that is on the table"."""
RANKED = ("left of", "right of", "behind", "in front of", "next to", "above", "under")
"""Relations with which an ordinal counts outwards from the anchor: "the second mug left of the laptop"."""
NEEDS_ARTICLE = ("by", "over", "at", "within", "into", "onto", "nearest", "closest")
"""Prepositions that are relations only before a determiner or pronoun, unlike in "stand by", "closest box"."""
PART_OF_USES = ("in", "on", "above")
"""Relations that belong to the description of a use, even before "the": "something to see in the dark with"."""
NO_ANCHOR = ("top", "it", "them", "wheels", "castors", "legs", "front", "general")
"""Words after a preposition that are no anchor: "a chair on wheels"."""
_STANDING = (
    r"(?:,? (?:(?:that|which|who) (?:stands?|lies|lie|sits?|hangs?) |(?:(?:that|which|who) )?(?:(?:is|are) )?)"
    r"(?:(?:standing|lying|sitting|placed|located|resting|hanging|put|directly|right|just) )?)"
)
RELATION = re.compile(
    rf"(?:^|{_STANDING})(?:(?P<not>not) )?(?:(?:standing|lying|sitting|placed|directly|just) )?"
    rf"(?<![\w'])(?P<name>{any_of(RELATIONS)})(?= )"
)
AND_RELATION = re.compile(
    r"(?:,|(?:,? and| but)(?: that| which| who)?)(?: is| are| stands?| lies| sits?)? "
    rf"((?:not )?(?:{any_of(RELATIONS)}) )"
)
AND_SAID = re.compile(
    rf"((?:(?! (?:that|which|who|with|without|not) | (?:{any_of(COLORS)})(?:,? and|,) {LOOK}$).)+?)"
    rf"(?:,? (?:and|but)|,) ({_WHO}(?:is|are|has|have|does|do|with|without|not|no) .+|{LOOK})$"
)
"""A clause after an anchor and "and" that describes the thing, not a place: "next to the laptop and not red". It
describes the anchor if that has such a clause already: "next to the box that is red and has a lid"."""
_SUPPORT = rf"(?:the |a |my )?(?:\w+ )?(?:{any_of(SUPPORTS + VIEWER)})"
PART_OF_SUPPORT = re.compile(
    rf"(?<!not )\b(?:in the (?:very )?(?:middle|centre|center)|on the (?:edge|corner|end|side|surface|top)) "
    rf"of (?={_SUPPORT}\b)(?!(?:the )?(?:{any_of(VIEWER)})\b)"
)
"""A part of a support ("in the middle of the table"), which is read as "on" the support."""
SIDE_OF_SUPPORT = re.compile(
    r"\b(?:on|at) the (left|right)(?:[ -]hand)?(?: (?:side|edge|end|corner))? of "
    rf"((?:the |a |my )(?:\w+ )?(?:{any_of(SUPPORTS)}))\b"
)
"""A side of a support: "on the left side of the table" means on the table, on the left."""
SUPPORT_RELATION = re.compile(rf"({_SUPPORT})(?:,? (?:that|which|who) (?:is|are))? ((?:not )?(?:{any_of(RELATIONS)}) )")
SUPPORT_CLAUSE = re.compile(
    rf"({_SUPPORT})(,? (?:(?:that|which|who) (?:is|are|has|have|does|do)|with|without|with no|not) "
    rf"(?!(?:.* )?(?:{any_of(RELATIONS)}) ).+)$"
)
"""A clause after a support, "on the table that is red": it describes the thing, because there is usually one table."""
LENGTH = re.compile(r"\d+(?:[.,]\d+)? ?(?:mm|cm|dm|m|millimet|centimet|met(?:er|re)|inch|in|ft|feet|foot)\w*\b")
"""A length, which is no anchor: "taller than 20 cm"."""
COLOR_AT_END = re.compile(
    rf"(?:(?:light|dark|bright|pale) )?(?:{any_of(COLORS)})(?: (?:and|or) (?:{any_of(COLORS)}))*(?: colou?r)?"
)
SIDE = re.compile(
    rf"(?: ({any_of(ORDINALS)}))? (?:on|to|at|in|from) (?:the|my|your|our) (?:far |very )?({any_of(SIDES)})"
    rf"(?:[ -]hand)?(?: side)?(?! of\b)(?=$|,| (?:that|which|and|not|with|without|{any_of(RELATIONS)}) )"
)
ANOTHER_ONE = re.compile(r"\w (?:the|a) ones?$")
"""Text before a side that belongs to an anchor: "next to the one" before "on the left"."""
ANOTHER_RANKED = re.compile(
    rf"\b(?:{any_of(RELATIONS)}) (?:the|a) (?:{any_of(ORDINALS)}) (?!(?:{any_of(SUPERLATIVES)})\b)\w[\w ]*$"
)
"""Text before a side from which an anchor is counted: "next to the second box" before "from the left"."""
PLACE = re.compile(
    rf"(?:not )?(?:(?:{any_of(RELATIONS)}) (?:{'|'.join(DETERMINERS)}|(?:{any_of(VIEWER)})$)|(?:on|to|at|in|from) the )"
)
"""A place without a noun before it: the rest of "the one on the table"."""
THOSE = re.compile(
    rf"\b(?:those|these)(?= (?:(?:with|without|that|which|who|made of|in {SHADE})\b"
    rf"|(?:(?:standing|lying|sitting) )?{PLACE.pattern}))"
)
"""Pronouns that stand for things: "those on the table"."""
EXCEPT = re.compile(
    r"^(.*?)(?:^|,? )(?:except for|except|other than|but not|but(?= (?:the|an?|my|this|that) )|(?:that (?:is|are) )?not"
    rf"(?= (?:the|my|this|that) | (?:on|to|at|in|from) (?:the|my|your) (?:{any_of(SIDES)})(?: |$))) (.+)$"
)
"""The requested and the excluded thing: "everything but the mug", "not the one on the left"."""
BESIDES = re.compile(rf"^({any_of(GENERIC)}|\w+(?<!s)s(?=.* ones?$))(?: else)? besides (.+)$")
"""The same for "besides" after a generic word, or after a plural before "... one"; elsewhere it is read as "beside"."""
