"""The words a landscape knows, and what each of them means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from odyssey_nb.service.worlds.landscape.scene import Place, Season, Tint

USUAL: Final = 0.6  # how much "rain" is when nobody says light or heavy


@dataclass(frozen=True, slots=True)
class At:
    """A time of day. A vague one ("dark", "moon") yields to a plain one in the same prompt."""

    hour: float
    vague: bool = False


@dataclass(frozen=True, slots=True)
class Weather:
    """Some weather: the name of a `Scene` field and its usual amount."""

    field: str
    amount: float = USUAL


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of the weather beside it."""

    value: float


@dataclass(frozen=True, slots=True)
class Change:
    """More or less of the weather beside it than there was."""

    by: float


class Glue(Enum):
    """Words that say how the others belong together."""

    NO = auto()  # "no", "without": what follows is absent
    END = auto()  # "stops", "lifts": what stands beside it goes away
    BECOME = auto()  # "turns into": what stood before goes away
    AND = auto()
    OR = auto()
    BREAK = auto()  # punctuation, "but": a new clause
    CLEAR = auto()  # "clear": good weather, or the end of what stands before it
    FILLER = auto()


Meaning = At | Weather | Amount | Change | Place | Season | Glue | tuple[str, Tint]


def _spell(meaning: Meaning, phrases: str) -> dict[str, Meaning]:
    """Give one meaning to comma-separated phrases."""
    return {" ".join(phrase.split()): meaning for phrase in phrases.split(",")}


def _tint(name: str, u: float, v: float, phrases: str) -> dict[str, Meaning]:
    return _spell((name, (u, v)), phrases)


_TIMES = (
    _spell(
        At(6.2),
        "dawn, sunrise, daybreak, sun rises, sun is rising, sun comes up, sun goes up, rising sun,"
        "day breaks, first light, dawning, dawns, early morning, sun rising, sun rise",
    )
    | _spell(At(8.6), "morning, gets light, becomes light, grows light, gets bright, day begins")
    | _spell(
        At(12.0),
        "noon, midday, day, daytime, daylight, gets brighter, broad daylight, lunchtime, high noon",
    )
    | _spell(At(15.5), "afternoon")
    | _spell(At(18.1), "golden hour, late afternoon, low sun")
    | _spell(
        At(18.8),
        "sunset, evening, sun sets, sun is setting, sun goes down, setting sun, sundown,"
        "sun setting, afterglow, sun set",
    )
    | _spell(At(20.1), "dusk, twilight, gloaming, blue hour, nightfall, gets darker, dusky")
    | _spell(
        At(23.5),
        "night, nighttime, midnight, gets dark, grows dark, becomes dark, turns dark, goes dark,"
        "darkness falls, darkness, night falls, moonlit, moonlight, starry, starlit, starlight,"
        "nocturnal, nightly, moon rises, stars come out, stars appear",
    )
    | _spell(At(23.5, vague=True), "dark, moon, stars, star, galaxy, constellations")
    | _spell(At(12.0, vague=True), "bright, blue sky, blue skies")
)

_PLACES = (
    _spell(
        Place.MEADOW,
        "meadow, meadows, plain, plains, field, fields, grassland, grasslands, prairie, hills,"
        "hill, countryside, pasture, steppe, farmland, farm, savanna, savannah, village, tundra,"
        "grass, valley, moor, park, garden",
    )
    | _spell(
        Place.FOREST,
        "forest, forests, wood, woods, woodland, woodlands, jungle, trees, tree, taiga, pines,"
        "pine, rainforest, grove, firs, spruces, birches, wilderness",
    )
    | _spell(
        Place.DESERT,
        "desert, deserts, dune, dunes, sand, sahara, sand dunes, wasteland, arid, oasis, mars",
    )
    | _spell(
        Place.SEA,
        "sea, seas, ocean, oceans, beach, coast, coastline, seaside, shore, seashore, waves, bay,"
        "island, islands, lagoon, harbour, harbor, waterfront, fjord, sea shore, surf",
    )
    | _spell(
        Place.MOUNTAINS,
        "mountain, mountains, alps, alpine, peak, peaks, summit, summits, himalaya, ridge, ridges,"
        "mountainous, cliffs, cliff, highlands, rocky mountains, volcano, canyon, glacier",
    )
    | _spell(
        Place.CITY,
        "city, cities, town, skyline, skyscraper, skyscrapers, metropolis, downtown, urban, street,"
        "streets, buildings, cityscape, cyberpunk, manhattan, tokyo, new york, london, paris",
    )
    | _spell(Place.LAKE, "lake, lakes, pond, river, lakeside, mountain lake, alpine lake, loch")
)

_WEATHER = (
    _spell(
        Weather("rain"),
        "rain, rains, rainy, raining, rainfall, rained, raindrops, showers, shower, wet,"
        "precipitation",
    )
    | _spell(Weather("rain", 0.3), "drizzle, drizzling, drizzly, drizzles, sprinkle, sprinkling")
    | _spell(
        Weather("rain", 0.95),
        "downpour, cloudburst, monsoon, pouring, pours, pour, deluge, hail, hailstorm, rainstorm,"
        "pouring rain, hailing, pours down",
    )
    | _spell(
        Weather("snow"), "snow, snows, snowing, snowfall, snowflakes, snowed, flurry, sleet, snowy"
    )
    | _spell(Weather("snow", 0.35), "flurries, snow flurries")
    | _spell(Weather("snow", 1.0), "blizzard, snowstorm, snow storm, whiteout, blizzards")
    | _spell(
        Weather("fog"),
        "fog, foggy, mist, misty, fogs, mists, fog bank, fog banks, vapour, vapor, brume",
    )
    | _spell(Weather("fog", 0.35), "haze, hazy, smog, smoke, smoky, dusty, dust")
    | _spell(Weather("fog", 0.75), "sandstorm, dust storm, sand storm, duststorm")
    | _spell(
        Weather("storm", 0.8),
        "storm, storms, stormy, thunder, thunderstorm, thunderstorms, lightning, tempest, thundery,"
        "thunderclouds, thunders, lightnings, lightning strikes, hurricane, typhoon, thunder storm",
    )
    | _spell(
        Weather("wind"),
        "wind, windy, winds, breeze, breezy, gust, gusts, gusty, gale, blows, blowing, squall",
    )
    | _spell(Weather("wind", 0.0), "calm, windless, still air, tranquil")
    | _spell(
        Weather("cloud", 0.7),
        "cloud, clouds, cloudy, clouded, cumulus, clouds gather, clouds roll in, clouds over",
    )
    | _spell(Weather("cloud", 1.0), "overcast, grey sky, gray sky, grey skies, gray skies, gloomy")
    | _spell(Weather("cloud", 0.4), "partly cloudy, scattered clouds, some clouds, few clouds")
    | _spell(
        Glue.CLEAR,
        "clear, clears, clearing, clear sky, clear skies, sunny, sunshine, cloudless, fair weather,"
        "fine weather, good weather, sun comes out, sun shines, fair, clears up, dry, cleared,"
        "sun is shining, sun breaks through, unclouded, clear up",
    )
)

_AMOUNTS = (
    _spell(Amount(0.15), "very light, hint of, trace of, barely, a hint of, very little, faintest")
    | _spell(
        Amount(0.3),
        "light, slight, soft, gentle, faint, little, thin, mild, lightly, slightly, softly, gently,"
        "a bit of, a little, some, weak, sparse, delicate, patchy, wispy, subtle, fine",
    )
    | _spell(Amount(0.55), "moderate, medium, steady, moderately, steadily, average, normal")
    | _spell(
        Amount(0.9),
        "heavy, dense, thick, strong, hard, intense, heavily, strongly, densely, deep, thickly,"
        "intensely, big, lots of, a lot of, much, fierce, powerful, wild, severe, raging, furious",
    )
    | _spell(
        Amount(1.0),
        "extreme, torrential, violent, massive, extremely, violently, very heavy, very dense,"
        "very thick, very strong, very heavily, very hard, extremely heavy, extremely dense,"
        "extremely thick, extremely strong, impenetrable, full, total, apocalyptic",
    )
    | _spell(
        Change(0.3), "more, heavier, stronger, thicker, denser, harder, increases, intensifies"
    )
    | _spell(Change(0.3), "grows, picks up, rolls in, worsens, thickens, strengthens, increasing")
    | _spell(Change(-0.3), "less, lighter, weaker, thinner, softer, decreases, weakens, thins")
    | _spell(Change(-0.3), "eases, subsides, calms, eases off, lets up, slackens, easing, thinning")
)

_SEASONS = (
    _spell(
        Season.SPRING, "spring, springtime, blossom, blossoms, blooming, flowers, flower, vernal"
    )
    | _spell(Season.SPRING, "wildflowers, cherry blossom, cherry blossoms, april, may")
    | _spell(Season.SUMMER, "summer, summertime, summery, july, august, june, thaw")
    | _spell(
        Season.AUTUMN,
        "autumn, autumnal, in fall, in the fall, fall leaves, fall foliage, fall colors, october,"
        "fall colours, fall forest, november, falling leaves, autumn leaves, leaves fall, foliage",
    )
    | _spell(
        Season.WINTER,
        "winter, wintry, wintertime, frost, frosty, frozen, icy, ice, snow capped, snowcapped,"
        "snow covered, snow covers, december, january, february, arctic, antarctic, polar",
    )
)

_TINTS = (
    _tint("red", -0.25, 0.9, "red, crimson, scarlet, ruby, blood, reddish, burning, fiery")
    | _tint("orange", -0.7, 0.6, "orange, amber, copper, rust, rusty, bronze")
    | _tint("gold", -0.85, 0.3, "golden, gold, yellow, honey, warm, sepia")
    | _tint("pink", 0.15, 0.7, "pink, rose, rosy, magenta, pastel, coral")
    | _tint("purple", 0.6, 0.5, "purple, violet, lavender, lilac, mauve, indigo")
    | _tint("blue", 0.8, -0.35, "blue, azure, cobalt, sapphire, cold, bluish")
    | _tint("teal", 0.35, -0.8, "teal, turquoise, cyan, aqua")
    | _tint("green", -0.4, -0.75, "green, emerald, jade, lush, verdant, toxic, greenish")
)

_GLUE = (
    _spell(
        Glue.NO,
        "no, not, without, never, zero, none, isn't, doesn't, don't, aren't, hardly any, free of,"
        "no more, not any, no longer, lack of, neither, isnt, doesnt, dont, nor any, devoid of",
    )
    | _spell(
        Glue.END,
        "stops, stop, stopped, stopping, ends, end, ended, fades, fade, fades away, lifts, lift,"
        "disappears, disappear, vanishes, vanish, goes away, go away, dies down, die down, is over,"
        "is gone, are gone, dissolves, dissipates, dissolve, dissipate, ceases, cease, passes,"
        "pass, melts, melt, remove, removed, parts, part, gone, burns off, abates, dies away",
    )
    | _spell(
        Glue.BECOME,
        "turns to, turns into, turn to, turn into, becomes, become, gives way to, changes to,"
        "changes into, give way to, transforms into, is replaced by, morphs into",
    )
    | _spell(Glue.AND, "and, with, plus, also, as well as")
    | _spell(Glue.OR, "or, nor")
    | _spell(Glue.BREAK, "but, then, while, now, after, before, yet, however, until, afterwards")
    | _spell(
        Glue.FILLER,
        "a, an, the, it, its, it's, is, are, was, be, been, of, in, on, at, to, into, over, under,"
        "from, by, for, through, across, above, below, this, that, there, here, very, so, too, as,"
        "begins, begin, starts, start, falls, fall, falling, comes, come, coming, gets, get, goes,"
        "go, appears, appear, sets, rises, rolling, rolls, sky, skies, sun, sunlight, weather,"
        "scene, view, landscape, picture, image, video, show, shows, make, let, us, we, me, i, you,"
        "please, slowly, suddenly, quickly, beautiful, nice, will, has, have, turns, turn,"
        "outside, up, down, out, away, again, still, just, drifts, drifting, off, all, any,"
        "getting, becoming,"
        # What the service adds to terse prompts (`service.expansion`) says nothing to us.
        "photorealistic and finely detailed, wide shot from eye level, natural light,"
        "rest of the scene stays as it is,"
        "time, horizon, air, distance, time of day, settles, settle, gather, gathers, hang, hangs",
    )
)

WORDS: Final[dict[str, Meaning]] = (
    _GLUE | _AMOUNTS | _TINTS | _TIMES | _PLACES | _WEATHER | _SEASONS
)
LONGEST: Final = max(len(phrase.split()) for phrase in WORDS)  # words in the longest phrase
