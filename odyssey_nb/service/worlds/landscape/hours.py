"""The colours of the hours, from which every light is mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from odyssey_nb.service.worlds.landscape.noise import Floats

# For each hour seven colours, sRGB from 0 to 1. First the sky at the zenith, in the middle, low and
# at the horizon; then what shadows receive, what sun or moon add to it, and the glow around them.
_HOURS: Final[dict[float, str]] = {
    0.0: ".020 .038 .115  .046 .082 .205  .090 .148 .300  .150 .220 .380 "
    " .27 .33 .52  .27 .34 .50  .30 .38 .55",
    4.3: ".026 .046 .130  .065 .095 .220  .140 .165 .320  .240 .235 .380 "
    " .27 .31 .48  .25 .29 .43  .34 .32 .42",
    5.3: ".110 .140 .330  .330 .260 .470  .720 .430 .490  .960 .640 .470 "
    " .36 .32 .46  .46 .30 .28  .70 .36 .20",
    6.2: ".250 .350 .620  .560 .500 .700  .930 .640 .620  1.00 .800 .600 "
    " .46 .43 .54  .64 .42 .28  .62 .38 .16",
    7.3: ".270 .470 .760  .520 .640 .830  .830 .790 .780  .985 .900 .740 "
    " .50 .52 .60  .66 .53 .36  .46 .36 .18",
    9.0: ".200 .460 .800  .390 .640 .890  .660 .810 .940  .900 .930 .900 "
    " .50 .55 .63  .66 .60 .48  .50 .44 .28",
    12.0: ".120 .390 .790  .270 .560 .890  .520 .750 .950  .800 .900 .960 "
    " .50 .57 .66  .64 .62 .54  .50 .46 .34",
    15.5: ".150 .410 .780  .330 .580 .870  .590 .760 .910  .880 .890 .850 "
    " .49 .53 .61  .66 .59 .45  .52 .43 .25",
    17.6: ".200 .370 .660  .450 .510 .700  .830 .680 .580  1.00 .800 .520 "
    " .46 .44 .50  .70 .48 .26  .58 .38 .14",
    18.8: ".150 .190 .440  .430 .290 .510  .900 .440 .340  1.00 .670 .300 "
    " .36 .31 .42  .66 .34 .16  .70 .36 .10",
    20.1: ".055 .075 .230  .130 .135 .350  .400 .240 .430  .780 .410 .370 "
    " .24 .23 .40  .26 .19 .27  .40 .18 .12",
    21.4: ".022 .040 .125  .050 .080 .215  .105 .140 .300  .200 .210 .370 "
    " .25 .30 .48  .24 .29 .45  .26 .30 .46",
    24.0: ".020 .038 .115  .046 .082 .205  .090 .148 .300  .150 .220 .380 "
    " .27 .33 .52  .27 .34 .50  .30 .38 .55",
}
_CLOCK: Final = np.array(list(_HOURS))
_COLOURS: Final = np.array([line.split() for line in _HOURS.values()], np.float64)


def colours_at(hour: float) -> Floats:
    """Return the seven colours (7, 3) of `hour` (0 to 24)."""
    mixed = [np.interp(hour, _CLOCK, channel) for channel in _COLOURS.T]
    return np.array(mixed, np.float32).reshape(7, 3)
