"""How large things are over a while, and whether they have grown."""

from __future__ import annotations

import psutil

GROWTH = 0.05  # by which the last third may exceed the first
PAGE_GROWTH = 0.15  # JupyterLab's own share is in it


class Sizes:
    """How large one thing was, at every look."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def note(self, **values: float) -> None:
        """Note what was found at one look."""
        for kind, value in values.items():
            self._values.setdefault(kind, []).append(value)

    def look(self, process: psutil.Process) -> None:
        """Note the sizes of a process."""
        with process.oneshot():
            self.note(
                megabytes=process.memory_full_info().uss / 1e6,
                threads=process.num_threads(),
                descriptors=process.num_fds(),
            )

    def thirds(self) -> dict[str, tuple[float, float]]:
        """Return the least of the first and of the last third.

        What is kept for good is in the least as well; what an allocator holds for later, as 7 MB of
        a decoder's pictures between two rounds, is not.
        """
        found = {}
        for kind, values in self._values.items():
            third = max(1, len(values) // 3)
            found[kind] = min(values[:third]), min(values[-third:])
        return found


class Looks:
    """The sizes of everything that takes part, by name."""

    def __init__(self, *names: str) -> None:
        self._sizes = {name: Sizes() for name in names}

    def __getitem__(self, name: str) -> Sizes:
        return self._sizes[name]

    def thirds(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Return what `Sizes.thirds` says of each."""
        return {name: each.thirds() for name, each in self._sizes.items()}

    def grown(
        self, *, granted: dict[tuple[str, str], float], pools: dict[tuple[str, str], float]
    ) -> list[str]:
        """Say what has grown by more than it may.

        Args:
            granted: What some may grow by beyond that, by name and kind.
            pools: How large some may always be: they fill when they are needed.
        """
        return [
            f"{name}: {kind} from {first:.1f} to {last:.1f}"
            for name, kinds in self.thirds().items()
            for kind, (first, last) in kinds.items()
            if last - granted.get((name, kind), 0)
            > first * (1 + (PAGE_GROWTH if name == "page" else GROWTH))
            and last > pools.get((name, kind), 0)
        ]
