"""Numbered pictures: a gap cannot go unseen, and the ring keeps what a decoder can use."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_nb.media.ring import Ring, Sequence
from odyssey_nb.wire.link import Picture

KEY = b"\x00\x00\x01\x67\x42\x00\x00\x01\x68\x00\x00\x01\x65\x88"
DELTA = b"\x00\x00\x01\x41\x9a"
WRAP = 2**32


class Numbering:
    """A sequence within its first stream, and how often it asked for a keyframe."""

    def __init__(self, *, begun: bool = True) -> None:
        self.asked = 0
        self.sequence = Sequence("default", want_keyframe=self.ask)
        if begun:
            self.sequence.begin()

    def ask(self) -> None:
        """Count."""
        self.asked += 1

    def key(self, timestamp: int = 0, *, lost: bool = False) -> Picture | None:
        """Number a keyframe."""
        return self.sequence.number(KEY, timestamp, lost=lost)

    def delta(self, timestamp: int = 0, *, lost: bool = False) -> Picture | None:
        """Number a picture that builds on the one before."""
        return self.sequence.number(DELTA, timestamp, lost=lost)


def test_numbers_count_from_one():
    """Pictures are counted from 1, each follows the one before, and a keyframe follows none."""
    numbering = Numbering()
    numbered = [numbering.key(), numbering.delta(), numbering.delta(), numbering.key()]
    assert [each.seq for each in numbered] == [1, 2, 3, 4]
    assert [each.follows for each in numbered] == [0, 1, 2, 0]
    assert [each.data for each in numbered] == [KEY, DELTA, DELTA, KEY]
    assert {(each.connection, each.stream) for each in numbered} == {("default", 1)}
    assert (numbering.asked, numbering.sequence.dropped) == (0, 0)


def test_begins_with_a_keyframe():
    """Until the first keyframe of a stream everything is dropped, and a keyframe is asked for."""
    numbering = Numbering()
    assert [numbering.delta(), numbering.delta(lost=True)] == [None, None]
    assert (numbering.asked, numbering.sequence.dropped) == (2, 2)
    assert numbering.key().seq == 1
    assert numbering.delta().follows == 1


def test_nothing_counts_before_a_stream():
    """Pictures that come before any stream has begun belong to none."""
    numbering = Numbering(begun=False)
    assert numbering.key() is None
    assert numbering.sequence.begin() == 1
    assert numbering.delta() is None
    assert numbering.key().seq == 1


def test_gap_drops_up_to_the_next_keyframe():
    """After a loss nothing is handed on that builds on what is missing."""
    numbering = Numbering()
    numbering.key()
    numbering.delta()
    assert [numbering.delta(lost=True), numbering.delta(), numbering.delta()] == [None] * 3
    assert (numbering.asked, numbering.sequence.dropped) == (3, 3)
    after = [numbering.key(), numbering.delta()]
    assert [(each.seq, each.follows) for each in after] == [(3, 0), (4, 3)]
    assert numbering.asked == 3


def test_keyframe_behind_a_gap_is_taken():
    """When the picture behind the gap is itself a keyframe, nothing waits."""
    numbering = Numbering()
    numbering.key()
    assert numbering.key(lost=True).follows == 0
    assert numbering.delta().follows == 2
    assert (numbering.asked, numbering.sequence.dropped) == (0, 0)


def test_a_new_stream_counts_anew():
    """Each stream has its own numbers and its own time, and begins with a keyframe."""
    numbering = Numbering()
    numbering.key(1000)
    numbering.delta(10_000)
    assert numbering.sequence.begin() == 2
    assert numbering.delta(19_000) is None
    first = numbering.key(28_000)
    assert (first.stream, first.seq, first.time) == (2, 1, 0.0)


@settings(max_examples=100, deadline=None)
@given(
    first=st.integers(0, WRAP - 1) | st.integers(WRAP - 300_000, WRAP - 1),
    steps=st.lists(st.integers(1, 9_000_000), max_size=20),
)
def test_time_goes_on_when_the_timestamp_wraps(first, steps):
    """Seconds are counted from the stream's first picture, through the wrap of the RTP clock."""
    numbering, elapsed = Numbering(), 0
    assert numbering.key(first).time == 0.0
    for step in steps:
        elapsed += step
        assert numbering.delta((first + elapsed) % WRAP).time == pytest.approx(elapsed / 90_000)


@settings(max_examples=100, deadline=None)
@given(pictures=st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from([0, 0, 0, 1]))))
def test_what_is_numbered_can_be_decoded(pictures):
    """Whatever is lost, each picture handed on is a keyframe or follows the one before."""
    numbering, previous, arrived = Numbering(), None, []
    for key, lost, begin in pictures:
        if begin:
            numbering.sequence.begin()
            previous = None
        picture = numbering.key(lost=lost) if key else numbering.delta(lost=lost)
        arrived.append(picture)
        if picture is None:
            assert not key
            previous = None  # from here on only a keyframe helps
            continue
        assert picture.key is key
        assert picture.key or (previous is not None and not lost)
        assert picture.follows in {0, previous.seq if previous else 0}
        previous = picture
    missing = arrived.count(None)
    assert numbering.sequence.dropped == numbering.asked == missing


def picture(stream: int, seq: int, *, key: bool, at: float = 0.0, size: int = 1) -> Picture:
    """Return a picture of `size` bytes, received and shown `at` seconds."""
    return Picture(
        connection="default", stream=stream, seq=seq, follows=0 if key else seq - 1, time=at,
        received=at, data=bytes(size),
    )  # fmt: skip


def row(flags: str, *, stream: int = 1, size: int = 1) -> list[Picture]:
    """Return pictures a second apart: ``K`` is a keyframe, ``-`` is not."""
    return [
        picture(stream, seq, key=flag == "K", at=float(seq), size=size)
        for seq, flag in enumerate(flags, start=1)
    ]


def ring(pictures: Iterable[Picture], **limits: float) -> Ring:
    """Return a ring that `pictures` were put into."""
    filled = Ring(**limits)
    for each in pictures:
        filled.put(each)
    return filled


def numbers(pictures: Iterable[Picture]) -> list[tuple[int, int]]:
    """Return stream and number of each picture."""
    return [(each.stream, each.seq) for each in pictures]


def test_empty_ring():
    """A ring that has nothing yet gives nothing."""
    empty = Ring()
    assert (len(empty), empty.newest, empty.tail(), empty.last(5)) == (0, None, [], [])


def test_old_groups_go_by_time():
    """What is older than the limit goes, a whole group at a time."""
    kept = ring(row("K--K--K--"), seconds=5)
    assert numbers(kept.last(99)) == [(1, seq) for seq in range(4, 10)]
    assert len(kept) == 6
    assert kept.put(picture(1, 10, key=False, at=10.0))
    assert numbers(kept.last(99)) == [(1, seq) for seq in range(7, 11)]


def test_old_groups_go_by_bytes():
    """When it becomes too much, the oldest group goes."""
    kept = ring(row("K--K--K-", size=10), most=79)
    assert numbers(kept.last(99)) == [(1, seq) for seq in range(4, 9)]


def test_group_in_use_outlives_its_time():
    """A stream without further keyframes can still be decoded when its keyframe is old."""
    pictures = row("K" + "-" * 30)
    kept = ring(pictures, seconds=5)
    assert kept.tail() == pictures
    assert kept.put(picture(1, 32, key=True, at=32.0))
    assert len(kept) == 1


def test_group_that_is_too_much_goes():
    """A group that alone is too many bytes goes, and the ring waits for a keyframe."""
    kept = Ring(most=35)
    *first, last = row("K---", size=10)
    assert all(kept.put(each) for each in first)
    assert not kept.put(last)
    assert (len(kept), kept.newest, kept.tail()) == (0, None, [])
    assert not kept.put(picture(1, 5, key=False, at=5.0))
    assert kept.tail() == []
    again = picture(1, 6, key=True, at=6.0)
    assert kept.put(again)
    assert kept.tail() == [again]


def test_one_large_picture_is_kept():
    """A single picture beyond the limit is kept until the next one comes."""
    large = picture(1, 1, key=True, size=1000)
    kept = ring([large], most=10)
    assert kept.tail() == [large]
    assert kept.put(picture(1, 2, key=True))
    assert len(kept) == 1


def test_tail():
    """Each decoder gets what it needs for the newest picture and no more."""
    kept = ring(row("K--K--"))
    assert numbers(kept.tail()) == [(1, 4), (1, 5), (1, 6)]
    assert numbers(kept.tail(stream=1, after=6)) == []
    assert numbers(kept.tail(stream=1, after=4)) == [(1, 5), (1, 6)]
    assert numbers(kept.tail(stream=1, after=3)) == [(1, 4), (1, 5), (1, 6)]
    assert numbers(kept.tail(stream=1, after=1)) == [(1, 4), (1, 5), (1, 6)]
    assert numbers(kept.tail(stream=2, after=0)) == [], "a stream of which nothing has come yet"


def test_tail_of_a_newer_stream():
    """A decoder of an older stream gets the newer one from its keyframe."""
    kept = ring([*row("K--"), *row("K-", stream=2)])
    assert numbers(kept.tail(stream=1, after=3)) == [(2, 1), (2, 2)]
    assert numbers(kept.tail(stream=2, after=1)) == [(2, 2)]


def test_behind():
    """Who wants every picture gets them in order, so many at once, and none twice."""
    kept = ring([*row("K--K--"), *row("K-", stream=2)])
    assert numbers(kept.behind(1, 2, 3)) == [(1, 3), (1, 4), (1, 5)]
    assert numbers(kept.behind(1, 5, 3)) == [(1, 6)]
    assert numbers(kept.behind(1, 6, 3)) == []
    assert numbers(kept.behind(2, 0, 3)) == [(2, 1), (2, 2)]
    assert numbers(ring(row("K--K--"), seconds=3).behind(1, 1, 9)) == [(1, 4), (1, 5), (1, 6)]


@pytest.mark.parametrize(("megabits", "seconds"), [(2, 150), (20, 40)])
def test_minutes_of_a_stream_are_small(megabits, seconds):
    """Of ten minutes at 2 Mbit/s 150 s are kept, and of any stream at most 100 MB."""
    kept, rate = Ring(), 20
    data = bytes(megabits * 1_000_000 // 8 // rate)
    for seq in range(1, 600 * rate + 1):
        key = seq % rate == 1
        kept.put(
            Picture(
                connection="default",
                stream=1,
                seq=seq,
                follows=0 if key else seq - 1,
                time=seq / rate,
                received=seq / rate,
                data=data,
            )
        )
        assert kept.size <= 100_000_000
    past = kept.last(1000)
    assert len(past) == len(kept)
    assert past[-1].time - past[0].time == pytest.approx(seconds, abs=1.1)
    assert kept.size == len(past) * len(data)


def test_last():
    """The past is given from the keyframe before it, and only of the newest stream."""
    kept = ring([*row("K--"), *row("K--K--K--", stream=2)])
    assert numbers(kept.last(1)) == [(2, seq) for seq in range(7, 10)]
    assert numbers(kept.last(2)) == [(2, seq) for seq in range(7, 10)]
    assert numbers(kept.last(2.5)) == [(2, seq) for seq in range(4, 10)]
    assert numbers(kept.last(999)) == [(2, seq) for seq in range(1, 10)]


@st.composite
def histories(draw: st.DrawFn) -> list[Picture]:
    """Pictures as a `Sequence` makes them: streams in order, each beginning with a keyframe."""
    made: list[Picture] = []
    at = 0.0
    for stream in range(1, draw(st.integers(1, 3)) + 1):
        flags = draw(st.lists(st.sampled_from("K---"), max_size=25))
        for seq, flag in enumerate(["K", *flags], start=1):
            at += draw(st.floats(0, 3))
            size = draw(st.integers(1, 30))
            made.append(picture(stream, seq, key=flag == "K", at=at, size=size))
    return made


@settings(max_examples=100, deadline=None)
@given(pictures=histories(), seconds=st.floats(0, 20), most=st.integers(1, 300))
def test_ring_keeps_what_it_may_and_no_more(pictures, seconds, most):
    """The ring is the newest pictures in order, from a keyframe on, within its limits."""
    kept = Ring(seconds=seconds, most=most)
    for count, newest in enumerate(pictures, start=1):
        holds = kept.put(newest)
        inside = pictures[count - len(kept) : count]
        assert holds is bool(inside)
        if not inside:
            assert kept.newest is None
            continue
        assert kept.newest is newest
        assert inside[0].key
        assert len(inside) == 1 or sum(len(each.data) for each in inside) <= most
        one_group = not any(each.key for each in inside[1:])
        assert one_group or newest.received - inside[0].received <= seconds


@settings(max_examples=100, deadline=None)
@given(pictures=histories(), seconds=st.floats(1, 40))
def test_ring_lets_nothing_go_too_early(pictures, seconds):
    """Without a limit on bytes, what goes is older than the limit on time."""
    kept = Ring(seconds=seconds)
    for count, newest in enumerate(pictures, start=1):
        kept.put(newest)
        gone = pictures[: count - len(kept)]
        assert len(kept)
        begins = [each.received for each in gone if each.key]
        assert all(newest.received - each > seconds for each in begins)


@settings(max_examples=100, deadline=None)
@given(pictures=histories(), seconds=st.floats(0, 20), most=st.integers(1, 300), data=st.data())
def test_tail_can_always_be_decoded(pictures, seconds, most, data):
    """What `tail` gives a decoder that has shown any picture goes on from there, to the newest."""
    kept = ring(pictures, seconds=seconds, most=most)
    shown = data.draw(st.sampled_from(pictures))
    found = kept.tail(stream=shown.stream, after=shown.seq)
    if kept.newest in {None, shown}:
        assert found == []
        return
    assert found[-1] is kept.newest
    assert found[0].key or (found[0].stream, found[0].follows) == (shown.stream, shown.seq)
    assert all(later.follows == before.seq for before, later in pairwise(found))
    assert len({each.stream for each in found}) == 1


@settings(max_examples=100, deadline=None)
@given(pictures=histories(), span=st.floats(0.1, 30))
def test_last_covers_what_was_asked(pictures, span):
    """`last` begins with a keyframe and is as short as it can be while it covers the time."""
    found = ring(pictures).last(span)
    stream = [each for each in pictures if each.stream == pictures[-1].stream]
    assert found == stream[len(stream) - len(found) :]
    assert found[0].key
    assert len(found) == len(stream) or found[-1].time - found[0].time >= span
    later_keys = [each for each in found[1:] if each.key]
    assert all(found[-1].time - each.time < span for each in later_keys)
