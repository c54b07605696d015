"""Clips as data sets that other libraries read: LeRobot's v3 layout, and tars for webdataset.

Pictures stay as they were streamed, but of a clip that was resized, or that begins between two
keyframes: decoders count pictures, and would count those in front of it too.

>>> export.lerobot([each.clip() for each in simulation.recordings], "forests")
>>> export.webdataset(clips, "forests-%06d.tar")
"""

from odyssey_nb.research.export.lerobot import lerobot
from odyssey_nb.research.export.webdataset import webdataset

__all__ = ["lerobot", "webdataset"]
