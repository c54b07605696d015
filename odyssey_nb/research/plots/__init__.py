"""Pictures of figures: each function draws into the axes that it is given, and returns them.

Without `ax` it makes a figure of its own, whose background is clear and whose ink reads on light
and on dark pages; a style that was chosen, as by ``plt.style.use``, is left alone. Figures of your
own look so by ``plt.style.use(plots.STYLE)``. Colours are those of matplotlib's cycle and colour
map. It takes the extra ``plot``.

>>> plots.segments(metrics.motion, clips).set_title("motion")
"""

from odyssey_nb.research.plots.axes import STYLE
from odyssey_nb.research.plots.film import filmstrip
from odyssey_nb.research.plots.groups import difference, segments
from odyssey_nb.research.plots.table import heatmap
from odyssey_nb.research.plots.timing import coherence, latency, pacing, series

__all__ = [
    "STYLE",
    "coherence",
    "difference",
    "filmstrip",
    "heatmap",
    "latency",
    "pacing",
    "segments",
    "series",
]
