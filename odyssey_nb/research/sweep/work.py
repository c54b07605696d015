"""Work on clips, in processes beside the kernel or on somebody's cluster, and each piece once."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import psutil

from odyssey_nb.config import VERSION
from odyssey_nb.media.clip import Clip, extra
from odyssey_nb.media.reading import read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from odyssey_nb.research.sweep.store import Store

Work = Callable[[Clip], Any]

MOST_AT_ONCE = 64  # pieces that an executor is given before it has done some
IDLE_SECONDS = 10  # after which a process that nobody needs any more ends

# Values that say by their repr what they are.
_PLAIN = (str, bytes, int, float, complex, bool, type(None))


@runtime_checkable
class Submits(Protocol):
    """What takes work: an executor of `concurrent.futures`, or something like it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Have `fn` called somewhere, and return its result to come."""


def compute(
    functions: Sequence[Work], keys: Sequence[str], store: Store, executor: object, title: str
) -> list[dict[str, Any]]:
    """Return what each function gives for the clip of each run, by the run's key.

    What is known from before is read from the store, and what is new is written there as it comes.

    Raises:
        UsageError: The executor is none, or its library is not installed.
        Exception: Whatever a function raised; what the others gave is kept.
    """
    from tqdm.auto import tqdm

    names = [fingerprint(each) for each in functions]
    found = [{} if name is None else store.results(name, keys) for name in names]
    missing = [
        (number, key)
        for key in keys
        for number in range(len(functions))
        if key not in found[number]
    ]
    if not missing:
        return found
    with (
        _opened(executor) as (submits, nearby),
        tqdm(total=len(missing), desc=title, unit=" clips", leave=False, delay=1) as bar,
    ):
        waiting: dict[Future[Any], tuple[int, str]] = {}
        try:
            while missing or waiting:
                while missing and len(waiting) < MOST_AT_ONCE:
                    number, key = missing.pop(0)
                    path = store.clip_path(key)
                    # Another machine may not have the file.
                    source = path if nearby else path.read_bytes()
                    future = submits.submit(_apply, functions[number], source)
                    waiting[future] = number, key
                failures = []
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    number, key = waiting.pop(future)
                    if (failure := future.exception()) is not None:
                        failures.append(failure)
                        continue
                    found[number][key] = result = future.result()
                    name = names[number]
                    if name is not None:
                        store.keep_result(name, key, result)
                    bar.update()
                if failures:  # what was done in the same moment is kept by now
                    raise failures[0]
        finally:
            for future in waiting:
                future.cancel()
    return found


def _apply(function: Work, source: Path | bytes) -> Any:  # noqa: ANN401 - as the function gives
    """Read a clip, and do the work; another process calls it."""
    return function(read(source))


@contextmanager
def _opened(executor: object) -> Iterator[tuple[Submits, bool]]:
    """Give what takes the work, and whether it sees the files of this machine."""
    name = executor if isinstance(executor, str) else getattr(executor, "__name__", "")
    if executor is None:
        with _beside() as pool:
            yield pool, True
    elif name == "ray":
        yield _Ray(), False
    elif hasattr(executor, "get_executor"):  # a client of dask.distributed
        yield executor.get_executor(pure=False), False
    elif isinstance(executor, Submits):
        yield executor, False
    else:
        raise TypeError(
            f"executor={executor!r} takes no work: give one of concurrent.futures, a Dask client, "
            'or "ray"'
        )


@contextmanager
def _beside() -> Iterator[Submits]:
    """Processes beside this one, which end when they are idle, and at once if this one is killed.

    Not those of `concurrent.futures`: they outlive a killed kernel, and know no function that is
    written in a cell.
    """
    from loky import get_reusable_executor

    pool = get_reusable_executor(
        timeout=IDLE_SECONDS, initializer=_end_with, initargs=(os.getpid(),)
    )
    try:
        yield pool
    except BaseException:
        # What runs is not wanted any more, and may take long.
        pool.shutdown(wait=True, kill_workers=True)
        raise


def _end_with(parent: int) -> None:
    """Have this process end as soon as `parent` does, in the middle of its work too."""

    def watch() -> None:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(parent).wait()
        os._exit(1)

    threading.Thread(target=watch, name="odyssey-parent", daemon=True).start()


class _Ray:
    """A Ray cluster: the one that is connected, else one on this machine."""

    def __init__(self) -> None:
        self._apply = extra("ray").remote(_apply)

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        assert fn is _apply
        future: Future[Any] = self._apply.remote(*args).future()
        return future


def fingerprint(function: Callable[..., Any]) -> str | None:
    """Return what names the work that a function does; None if it cannot be told.

    It changes with the code, its constants, defaults and what it closes over, and with helpers in
    the same module, but not with the place where it is written. What other modules do counts by
    their names alone.
    """
    digest = hashlib.sha256()
    try:
        for part in _parts(function, set()):
            digest.update(part + b"\0")
    except (TypeError, ValueError, AttributeError, pickle.PicklingError):
        return None
    return digest.hexdigest()[:16]


def _parts(value: object, seen: set[int]) -> Iterator[bytes]:
    if id(value) in seen:
        return
    if isinstance(value, _PLAIN):
        yield repr(value).encode()
    elif isinstance(value, functools.partial):
        seen.add(id(value))
        yield from _parts((value.func, value.args, sorted(value.keywords.items())), seen)
    elif isinstance(value, types.FunctionType):
        seen.add(id(value))
        yield f"{value.__module__}.{value.__qualname__}".encode()
        if value.__module__.startswith("odyssey_nb."):
            yield VERSION.encode()
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        yield from _parts((value.__code__, value.__defaults__, value.__kwdefaults__, held), seen)
        for name in _names(value.__code__):
            used = value.__globals__.get(name)
            ours = getattr(used, "__module__", None) == value.__module__
            if isinstance(used, _PLAIN) or (isinstance(used, types.FunctionType) and ours):
                yield from _parts(used, seen)
    elif isinstance(value, types.CodeType):
        yield value.co_code
        yield from _parts((value.co_names, value.co_consts), seen)
    elif isinstance(value, dict):
        yield from _parts(sorted(value.items()), seen)
    elif isinstance(value, (tuple, list)):
        yield f"{len(value)}".encode()
        for each in value:
            yield from _parts(each, seen)
    else:
        yield pickle.dumps(value)


def _names(code: types.CodeType) -> Iterator[str]:
    """Yield the global names that code may use, that of functions inside included."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _names(each)
