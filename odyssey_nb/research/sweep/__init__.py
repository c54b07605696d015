"""Sweeps: many runs of a world, as many at once as the account may, each of them once.

`plan` says what is run, `store` remembers what became of it, `feeder` takes it through the service,
`work` computes on the clips, and `sweep` is what a cell sees.
"""

from odyssey_nb.research.sweep.sweep import Sweep

__all__ = ["Sweep"]
