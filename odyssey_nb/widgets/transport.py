"""How many pictures may be on their way to the views of a Player: a window in time."""

from __future__ import annotations

from collections import deque

OUTSTANDING_SECONDS = 0.5  # of pictures under way beyond the page's distance; then sending stops
MOST_SECONDS = 2.0  # of pictures under way, however far away the page is
ACKNOWLEDGEMENTS = 20  # of which the quickest tells the page's distance: five seconds of them
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
        self._delays: deque[float] = deque(maxlen=ACKNOWLEDGEMENTS)
        self.sent = self.stalls = 0

    @property
    def watched(self) -> bool:
        """Whether any view is on screen."""
        return bool(self._visible)

    @property
    def views(self) -> int:
        """How many views are on screen."""
        return len(self._visible)

    @property
    def stalled(self) -> bool:
        """Whether sending has stopped for want of acknowledgements."""
        return self._stalled_at is not None

    @property
    def allowed(self) -> float:
        """How long a sent picture may go unacknowledged, in seconds."""
        return min(MOST_SECONDS, OUTSTANDING_SECONDS + min(self._delays, default=0.0))

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
        if self._unacknowledged and now - self._unacknowledged[0][2] > self.allowed:
            self._stalled_at = now
            self.stalls += 1
            return False
        self._unacknowledged.append((stream, seq, now))
        self.sent += 1
        return True

    def acknowledge(self, stream: int, seq: int, now: float) -> bool:
        """A view has painted `seq`; return whether sending, which had stopped, may begin again."""
        waiting = self._unacknowledged
        while waiting and waiting[0][:2] <= (stream, seq):
            *picture, sent = waiting.popleft()
            if picture == [stream, seq]:
                self._delays.append(now - sent)
        if self._stalled_at is None:
            return False
        if waiting and now - self._stalled_at < GIVE_UP_SECONDS:
            return False
        self.reset()
        return True
