"""A procedural landscape: reads the prompt's hour, weather and place, and needs no model."""

from odyssey_nb.service.worlds.landscape.world import Landscape

__all__ = ["Landscape"]
