"""How many pictures may be on their way to the views of a Player: a window in time."""

from __future__ import annotations

from collections import deque

OUTSTANDING_SECONDS = 0.5  # longest that a sent picture may go unacknowledged before sending stops
GIVE_UP_SECONDS = 2.0  # after which what was sent counts as lost and sending may begin anew


class Window:
    """Knows which views are visible and what they have acknowledged; times in seconds, any clock.

    Sending stops as a whole and begins again from the newest keyframe, so what a view gets can
    always be decoded. The newest acknowledgement of any visible view counts.
    """

    def __init__(self) -> None:
        self._visible: set[str] = set()
        self._unacknowledged: deque[tuple[int, int, float]] = deque()  # stream, seq, sent at
        self._stalled_at: float | None = None
        self.stalls = 0

    @property
    def watched(self) -> bool:
        """Whether any view is on screen."""
        return bool(self._visible)

    @property
    def stalled(self) -> bool:
        """Whether sending has stopped for want of acknowledgements."""
        return self._stalled_at is not None

    def shows(self, view: str) -> bool:
        """Whether `view` is known to be on screen."""
        return view in self._visible

    def show(self, view: str, *, visible: bool) -> None:
        """A view came on screen or left it."""
        if visible:
            self._visible.add(view)
        else:
            self._visible.discard(view)
        if not self._visible:
            self.reset()

    def reset(self) -> None:
        """Forget what is under way; sending begins anew."""
        self._unacknowledged.clear()
        self._stalled_at = None

    def admit(self, stream: int, seq: int, now: float) -> bool:
        """Whether a picture may be sent; after a no, none may until `acknowledge` or `reset`."""
        if not self.watched or self.stalled:
            return False
        if self._unacknowledged and now - self._unacknowledged[0][2] > OUTSTANDING_SECONDS:
            self._stalled_at = now
            self.stalls += 1
            return False
        self._unacknowledged.append((stream, seq, now))
        return True

    def acknowledge(self, stream: int, seq: int, now: float) -> bool:
        """A view has painted `seq`; return whether sending, which had stopped, may begin again."""
        waiting = self._unacknowledged
        while waiting and waiting[0][:2] <= (stream, seq):
            waiting.popleft()
        if self._stalled_at is None:
            return False
        if waiting and now - self._stalled_at < GIVE_UP_SECONDS:
            return False
        self.reset()
        return True
