"""Figures of clips, each with the source of its formula, its unit and its range.

A metric takes a clip, or pictures as an array (T, height, width, 3) of uint8, and gives a `Series`,
one value for each picture, or figures. Clips are read one picture at a time, scaled to 320 columns,
so that figures of clips of different sizes compare; arrays are taken as they are. `over` says how
sure a figure is over repeats, `difference` how far two groups of repeats are apart.
"""

from odyssey_nb.research.metrics.appearance import colour, flicker, motion, sharpness
from odyssey_nb.research.metrics.chance import Calibration, calibration
from odyssey_nb.research.metrics.coherence import Coherence, coherence, drift, return_to_start
from odyssey_nb.research.metrics.difference import Difference, difference
from odyssey_nb.research.metrics.flow import flow
from odyssey_nb.research.metrics.live import respond
from odyssey_nb.research.metrics.pacing import Pacing, pacing
from odyssey_nb.research.metrics.response import Response, responsiveness
from odyssey_nb.research.metrics.series import Estimate, Series, over

__all__ = [
    "Calibration",
    "Coherence",
    "Difference",
    "Estimate",
    "Pacing",
    "Response",
    "Series",
    "calibration",
    "coherence",
    "colour",
    "difference",
    "drift",
    "flicker",
    "flow",
    "motion",
    "over",
    "pacing",
    "respond",
    "responsiveness",
    "return_to_start",
    "sharpness",
]
