"""A streamer process that only says that it is warm, so that a test can afford hundreds of them."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

READY = b"\x81\xa4type\xa5ready"  # MessagePack of {"type": "ready"}, without importing a codec

if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as line, suppress(ConnectionError):
        line.sendall(len(READY).to_bytes(4, "big") + READY)
        while line.recv(4096):
            pass
