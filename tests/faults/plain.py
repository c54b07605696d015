"""A kernel that runs the cells of another one, and in which they do nothing.

What it grows by is what IPython, traitlets and the like keep of every cell (its compiled source,
the messages about it), which is not ours to give back.
"""

from __future__ import annotations

from pathlib import Path

from tests.faults.scene import start_kernel
from tests.kernel.conftest import Kernel

# It answers whatever is asked of it by itself, so that the same cells run to the same end.
_STAND_IN = """class Nothing:
    def __getattr__(self, name): return self
    def __call__(self, *args, **options): return self
    def __len__(self): return 0
    def __repr__(self): return 'nothing'
    def __await__(self):
        yield from ()
        return self
ody = stream = Nothing()"""


def start_plain_kernel(runtime: Path, prelude: str) -> Kernel:
    """Start it, and run what the other one starts with."""
    kernel = start_kernel(runtime)
    kernel.run(f"{prelude}\n{_STAND_IN}")
    return kernel
