"""Files that are for this user alone."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from odyssey_nb.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ELSEWHERE = "Make room there, or set ODYSSEY_NB_RUNTIME_DIR to a private directory elsewhere."


def write_private(path: Path, text: str) -> None:
    """Write `text` so that only this user can ever read it, all of it or nothing."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell in one line that the body could not write below the runtime directory.

    Raises:
        SettingError: It is full, read-only or forbidden.
    """
    try:
        yield
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise SettingError(f"{path} cannot be written ({why})", hint=ELSEWHERE) from error
