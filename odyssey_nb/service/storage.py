"""Where media lie, and signed URLs that open one file for a while."""

from __future__ import annotations

import hashlib
import hmac
import re
import shutil
import tempfile
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Storage:
    """A directory with one folder for each stream; `secret` signs the URLs."""

    def __init__(self, root: Path, secret: str, *, clock: Callable[[], float] = time.time) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root = root
        self._secret = secret.encode()
        self._clock = clock

    def folder(self, stream_id: str) -> Path:
        """Return the folder of a stream.

        Raises:
            ValueError: No stream can have that id.
        """
        if not _PART.fullmatch(stream_id):
            raise ValueError(f"no stream id: {stream_id!r}")
        return self.root / stream_id

    def room(self) -> int:
        """Return how many bytes are free.

        Raises:
            OSError: Nothing can be written here.
        """
        with tempfile.TemporaryFile(dir=self.root):
            return shutil.disk_usage(self.root).free

    def size(self, stream_id: str) -> int:
        """Return how many bytes a stream's files have."""
        folder = self.folder(stream_id)
        return sum(file.stat().st_size for file in folder.glob("*")) if folder.exists() else 0

    def delete(self, stream_id: str) -> None:
        """Remove everything of a stream."""
        shutil.rmtree(self.folder(stream_id), ignore_errors=True)

    def clear(self) -> None:
        """Remove everything of every stream."""
        for folder in self.root.iterdir():
            shutil.rmtree(folder, ignore_errors=True)

    def signed(self, stream_id: str, name: str, *, seconds: float) -> str:
        """Return path and query of a URL that opens one file for so many seconds."""
        expires = int(self._clock() + seconds)
        query = {"expires": expires, "signature": self._signature(stream_id, name, expires)}
        return f"/media/{stream_id}/{name}?{urlencode(query)}"

    def open(self, stream_id: str, name: str, expires: str, signature: str) -> Path | None:
        """Return the file that a signed URL is about; None if the URL is not good (any more)."""
        if not expires.isdecimal() or len(expires) > 12:
            return None
        wanted = self._signature(stream_id, name, int(expires))
        if not hmac.compare_digest(wanted, signature.encode("ascii", "replace").decode()):
            return None
        if self._clock() >= int(expires) or not _PART.fullmatch(name):
            return None
        file = self.folder(stream_id) / name
        return file if file.is_file() else None

    def _signature(self, stream_id: str, name: str, expires: int) -> str:
        text = f"GET\n{stream_id}\n{name}\n{expires}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()
