"""Captions of the demo world: at least eight ways to say each part, in one sentence or three."""

from __future__ import annotations

import random

from world import BACKGROUNDS, COLOURS, MOTIONS, SHAPES, Specs

COLOUR_WORDS = {
    "red": ("red", "crimson", "scarlet", "bright red", "ruby", "cherry red", "red-coloured", "deep red", "ruby red"),
    "orange": ("orange", "tangerine", "amber", "bright orange", "orange-coloured", "pumpkin", "apricot", "deep orange"),
    "yellow": ("yellow", "lemon", "bright yellow", "golden", "sunny yellow", "yellow-coloured", "canary yellow", "lemon yellow"),
    "green": ("green", "emerald", "bright green", "grass green", "green-coloured", "leaf green", "emerald green", "jade"),
    "blue": ("blue", "royal blue", "bright blue", "cobalt", "blue-coloured", "sapphire", "azure", "deep blue"),
    "purple": ("purple", "violet", "bright purple", "deep purple", "purple-coloured", "plum", "lilac", "amethyst"),
    "white": ("white", "snow white", "bright white", "pure white", "white-coloured", "ivory", "snowy", "chalk white"),
    "black": ("black", "jet black", "deep black", "coal black", "black-coloured", "ebony", "pitch black", "dark black"),
}
SHAPE_WORDS = {
    "ball": ("ball", "sphere", "disc", "round ball", "circle", "orb", "globe", "dot"),
    "square": ("square", "box", "block", "square tile", "cube", "square block", "tile", "four-sided shape"),
    "triangle": ("triangle", "three-sided shape", "triangular shape", "pyramid", "three-cornered shape", "triangular tile", "wedge", "triangle shape"),
    "star": ("star", "five-pointed star", "pointed star", "star shape", "pentagram", "five-point star", "little star", "starfish"),
    "ring": ("ring", "hoop", "band", "hollow circle", "donut", "loop", "round ring", "annulus"),
    "heart": ("heart", "love heart", "heart shape", "heart symbol", "valentine heart", "little heart", "heart figure", "valentine"),
}
BACKGROUND_WORDS = {
    "sky": ("in the sky", "in front of a cloudy sky", "against the sky", "among the clouds", "in the blue sky", "across a bright sky", "with clouds behind it", "before a daytime sky", "high in the sky"),
    "sea": ("over the sea", "above the sea", "over the ocean", "above the waves", "over blue water", "on the sea", "across the ocean waves", "over rolling waves", "above the water"),
    "meadow": ("over a meadow", "above the grass", "over a green field", "on a meadow", "across the grass", "above a grassy field", "over the lawn", "in a meadow"),
    "desert": ("over the desert", "above the dunes", "over the sand", "in the desert", "across sandy dunes", "above desert sand", "over sand dunes", "in front of the dunes"),
    "night": ("at night", "in the night sky", "under the stars", "against a starry sky", "in front of the night sky", "among the stars at night", "in the dark night", "before a starry night sky"),
}
SCENE_WORDS = {
    "sky": ("the sky", "a cloudy sky", "the blue sky", "white clouds", "a bright sky", "a daytime sky", "sky with clouds", "the sky by day"),
    "sea": ("the sea", "the ocean", "blue water", "rolling waves", "ocean waves", "the open sea", "the water", "a calm sea"),
    "meadow": ("a meadow", "green grass", "a grassy field", "a green field", "the lawn", "the grass", "a green meadow", "meadow grass"),
    "desert": ("the desert", "sand dunes", "desert sand", "the dunes", "a sandy desert", "yellow sand", "dunes of sand", "a dry desert"),
    "night": ("the night sky", "a starry night", "the dark night", "a starry sky", "night with stars", "stars at night", "a night sky", "the sky at night"),
}
GO = (("moving", "moves"), ("drifting", "drifts"), ("gliding", "glides"), ("sliding", "slides"), ("floating", "floats"), ("travelling", "travels"), ("going", "goes"), ("heading", "heads"))
DIRECTION_WORDS = {
    "left": ("left", "to the left", "leftwards", "towards the left", "to the left side", "from right to left", "leftward", "left across the picture"),
    "right": ("right", "to the right", "rightwards", "towards the right", "to the right side", "from left to right", "rightward", "right across the picture"),
    "up": ("up", "upwards", "to the top", "towards the top", "straight up", "from bottom to top", "upward", "up the picture"),
    "down": ("down", "downwards", "to the bottom", "towards the bottom", "straight down", "from top to bottom", "downward", "down the picture"),
}
CIRCLE = (("circling", "circles"), ("going in a circle", "goes in a circle"), ("orbiting", "orbits"), ("moving in a circle", "moves in a circle"), ("travelling in a circle", "travels in a circle"),
          ("going around", "goes around"), ("circling around", "circles around"), ("revolving around the centre", "revolves around the centre"))
SENSE_WORDS = {
    "clockwise": ("clockwise", "clockwise", "in a clockwise direction", "the clockwise way", "in the clockwise sense"),
    "counterclockwise": ("counterclockwise", "counterclockwise", "anticlockwise", "counter-clockwise", "anti-clockwise", "in a counterclockwise direction", "in an anticlockwise direction"),
}
SPINNING_WORDS = (("spinning in place", "spins in place"), ("spinning", "spins"), ("rotating in place", "rotates in place"), ("turning on the spot", "turns on the spot"), ("rotating on the spot", "rotates on the spot"),
                  ("whirling in place", "whirls in place"), ("spinning around itself", "spins around itself"), ("turning around itself", "turns around itself"), ("rotating", "rotates"))
STILL_WORDS = (("staying still", "stays still"), ("standing still", "stands still"), ("not moving", "does not move"), ("resting", "rests"), ("staying in place", "stays in place"), ("holding still", "holds still"),
               ("keeping still", "keeps still"), ("motionless", "is motionless"), ("at rest", "is at rest"))

ONE = ("{A} {s} {ing} {bg}", "{bg} {a} {s} {ing}", "{a} {s} {bg}, {ing}", "{a} {s} {verb} {bg}", "{scene} with {a} {s} {ing}", "a video of {a} {s} {ing} {bg}", "{a} {s} that {verb} {bg}", "{bg}, {a} {s} {verb}",
       "{a} {s} is seen {ing} {bg}", "this is {a} {s} {ing} {bg}")
THREE = ("there is {a} {s}. it {verb}. the background is {scene}.", "{scene}. {a} {s} is there. it {verb}.", "this video shows {a} {s}. the {n} {verb}. behind it we see {scene}.",
         "we see {scene}. in front of it is {a} {s}. the {n} {verb}.", "{a} {s} {verb}. nothing else changes. the background is {scene}.", "look at the {s}. it {verb}. all around is {scene}.",
         "the scene is {scene}. {a} {s} appears. the {s} {verb}.", "a short clip. {a} {s} is {ing}. the background shows {scene}.", "in the picture is {a} {s}. it {verb} all the time. {scene} is behind it.")
SECOND = ("and {a2} {s2} {ing2} behind it", "with {a2} {s2} {ing2} behind", "while {a2} {s2} {verb2} behind it", "and behind it {a2} {s2} {ing2}", "as {a2} {s2} {verb2} in the background", "together with {a2} {s2} {ing2} behind it",
          "and {a2} {s2} that {verb2} behind it", "followed by {a2} {s2} {ing2} in the back")
SECOND_SENTENCE = ("behind it, {a2} {s2} {verb2}.", "{a2} {s2} is {ing2} behind it.", "a second thing, {a2} {s2}, {verb2} behind it.", "there is also {a2} {s2} behind it, {ing2}.", "further back {a2} {s2} {verb2}.",
                   "in the background {a2} {s2} {verb2}.", "behind that, {a2} {s2} is {ing2}.", "a {s2} {verb2} behind the first one.")


def _article(words: str, rng: random.Random) -> str:
    return "the" if rng.random() < 0.1 else "an" if words[0] in "aeiou" else "a"


def _pick(options: tuple, rng: random.Random):
    return options[0] if rng.random() < 0.2 else rng.choice(options)


def _motion(motion: str, rng: random.Random) -> tuple[str, str]:
    if motion == "spinning":
        return _pick(SPINNING_WORDS, rng)
    if motion == "still":
        return _pick(STILL_WORDS, rng)
    ing, verb = _pick(CIRCLE if motion in SENSE_WORDS else GO, rng)
    where = _pick(SENSE_WORDS[motion] if motion in SENSE_WORDS else DIRECTION_WORDS[motion], rng)
    return f"{ing} {where}", f"{verb} {where}"


def _thing(shape: str, colour: str, rng: random.Random) -> tuple[str, str, str]:
    noun, words = _pick(SHAPE_WORDS[shape], rng), _pick(COLOUR_WORDS[colour], rng)
    thing = f"{words} {noun}" if rng.random() < 0.93 else f"{noun} in {words}"
    return _article(thing, rng), thing, noun


def _sentence_case(text: str) -> str:
    return ". ".join(s[:1].upper() + s[1:] for s in text.split(". "))


def caption(shape: str, colour: str, motion: str, background: str, rng: random.Random, second: tuple[str, str, str] | None = None) -> str:
    """One caption; `second` is the (shape, colour, motion) of the object behind."""
    ing, verb = _motion(motion, rng)
    a, s, n = _thing(shape, colour, rng)
    parts = dict(a=a, A=a, s=s, n=n, ing=ing, verb=verb, bg=_pick(BACKGROUND_WORDS[background], rng), scene=_pick(SCENE_WORDS[background], rng))
    if second:
        parts["ing2"], parts["verb2"] = _motion(second[2], rng)
        parts["a2"], parts["s2"], _ = _thing(second[0], second[1], rng)
    if rng.random() < 0.65:
        text = _pick(ONE, rng) + (" " + rng.choice(SECOND) if second else "")
        text = text.format(**parts)
        if rng.random() < 0.6:
            text += "."
    else:
        text = rng.choice(THREE) + (" " + rng.choice(SECOND_SENTENCE) if second else "")
        text = text.format(**parts)
    style = rng.random()
    if style < 0.6:
        text = _sentence_case(text)
    elif style < 0.66:
        text = text.upper()
    elif style < 0.70:
        text = text.title()
    if rng.random() < 0.08:
        text = text.replace(",", "").replace(".", "")
    return text


def captions_of(specs: Specs, index: int, rng: random.Random, count: int) -> list[str]:
    second = None
    if specs.shape.shape[1] > 1 and bool(specs.present[index, 1]):
        second = (SHAPES[int(specs.shape[index, 1])], COLOURS[int(specs.colour[index, 1])], MOTIONS[int(specs.motion[index, 1])])
    first = (SHAPES[int(specs.shape[index, 0])], COLOURS[int(specs.colour[index, 0])], MOTIONS[int(specs.motion[index, 0])], BACKGROUNDS[int(specs.background[index])])
    return [caption(*first, rng, second) for _ in range(count)]


if __name__ == "__main__":
    import numpy as np

    import world

    rng = random.Random(0)
    batch = world.sample(np.random.default_rng(0), 24)
    for i in range(len(batch)):
        print(captions_of(batch, i, rng, 1)[0])
