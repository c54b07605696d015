"""What of a connection's pictures the kernel gets, and when a keyframe is asked for."""

from __future__ import annotations

from odyssey_nb.sidecar.held import Subscription
from odyssey_nb.wire.link import Picture


def picture(seq: int, *, key: bool = False) -> Picture:
    """A picture that builds on the one before it, or on none."""
    return Picture(
        connection="a", stream=1, seq=seq, follows=0 if key else seq - 1, time=0, received=0,
        data=b"",
    )  # fmt: skip


def group(length: int) -> list[Picture]:
    """A keyframe and what builds on it."""
    return [picture(1, key=True), *(picture(seq) for seq in range(2, length + 1))]


class Bench:
    """A subscription, what it sends, and how often it asks for a keyframe."""

    def __init__(self, credit: int) -> None:
        self.sent: list[int] = []
        self.asked = 0
        self.it = Subscription(credit, lambda each: self.sent.append(each.seq), self._ask)

    def _ask(self) -> None:
        self.asked += 1


def test_it_begins_with_the_newest_group() -> None:
    """A decoder gets everything from the keyframe on, and nothing is asked for."""
    bench = Bench(credit=5)
    bench.it.begin(group(4))
    assert (bench.sent, bench.asked) == ([1, 2, 3, 4], 0)


def test_a_group_that_is_too_long_is_left_out() -> None:
    """A service with rare keyframes is asked for one, instead of half a group being sent."""
    bench = Bench(credit=5)
    bench.it.begin(group(100))
    assert (bench.sent, bench.asked) == ([], 1)
    bench.it.offer(picture(101))
    assert bench.sent == []
    bench.it.offer(picture(102, key=True))
    bench.it.offer(picture(103))
    assert bench.sent == [102, 103]


def test_a_kernel_that_reads_again_gets_a_keyframe() -> None:
    """While it does not read nobody pays for keyframes; once it does one is asked for."""
    bench = Bench(credit=2)
    for each in group(10):
        bench.it.offer(each)
    assert (bench.sent, bench.it.dropped, bench.asked) == ([1, 2], 8, 0)
    bench.it.credit += 2
    bench.it.offer(picture(11))
    assert bench.asked == 1
    bench.it.offer(picture(12, key=True))
    assert bench.sent == [1, 2, 12]
