"""What crosses a process boundary: frozen dataclasses and the one codec for them; no I/O."""
