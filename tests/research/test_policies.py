"""Whose prompt is next when many steer: nobody is passed over, and nothing grows without bound."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odyssey_nb.research.policies import (
    POLICIES,
    Moderated,
    Policy,
    Queue,
    RateLimit,
    RoundRobin,
    Vote,
)

EVERY = 10.0
PEOPLE = st.sampled_from(["ada", "ben", "cy", "dee"])
WORDS = st.sampled_from(["snow", "rain", "fog", "a storm", "night"])
PROPOSE = st.tuples(st.just("propose"), PEOPLE, WORDS)
ACTIONS = st.lists(
    st.one_of(
        PROPOSE,
        st.tuples(st.just("vote"), PEOPLE, st.integers(0, 12).map(str)),
        st.tuples(st.just("wait"), st.integers(0, 15), st.none()),
        st.tuples(st.just("withdraw"), PEOPLE, st.none()),
        st.tuples(st.just("approve"), st.integers(0, 12).map(str), st.none()),
    ),
    max_size=60,
)


def act(policy: Policy, action, now: float) -> tuple[float, object]:
    """Do what `action` says; return the time after it, and what came of it."""
    match action:
        case "propose", who, prompt:
            return now, policy.propose(who, prompt, now)
        case "vote", who, proposal:
            return now, policy.vote(who, proposal)
        case "wait", seconds, _:
            return now + seconds, policy.take(now + seconds)
        case "withdraw", who, _:
            return now, policy.withdraw(who)
        case _, proposal, _:
            return now, policy.approve(proposal)


@pytest.mark.parametrize("kind", POLICIES.values(), ids=POLICIES)
@given(actions=ACTIONS)
@settings(max_examples=50)
def test_bounds_hold_whatever_people_do(kind: type[Policy], actions) -> None:
    """Never too many wait, of one or of all; nothing waits twice; what is told as next is next."""
    policy, now = kind(every=EVERY, each=2, most=5), 0.0
    applied_at = -EVERY
    for action in actions:
        expected = policy.waiting[:1]
        now, came = act(policy, action, now)
        waiting = [*policy.waiting, *policy.inbox]
        assert len(waiting) <= 5
        assert len({each.id for each in waiting}) == len(waiting)
        assert len({each.prompt for each in waiting}) == len(waiting)
        assert all(each.by or each.voters for each in waiting)
        counts = Counter(who for each in waiting for who in each.by)
        assert max(counts.values(), default=0) <= (1 if kind is Vote else 2)
        assert max(Counter(who for each in waiting for who in each.voters).values(), default=0) <= 1
        if action[0] == "wait" and came is not None:
            assert [came] == expected
            assert now - applied_at >= EVERY
            applied_at = now
        assert (policy.due(now) is None) == (not policy.waiting)


def run_dry(policy: Policy, now: float) -> list[str]:
    """Take everything that waits; return the prompts."""
    taken = []
    while policy.waiting:
        now += EVERY
        proposal = policy.take(now)
        assert proposal is not None, "after `every` seconds one is due"
        taken.append(proposal.prompt)
    return taken


@given(st.lists(PEOPLE, max_size=40))
def test_a_queue_keeps_its_order(people: list[str]) -> None:
    """What was accepted is applied in that order, all of it."""
    policy = Queue(every=EVERY, each=99)
    prompts = [f"{who} {number}" for number, who in enumerate(people)]
    for who, prompt in zip(people, prompts, strict=True):
        assert policy.propose(who, prompt, 0.0).kind == "accepted"
    assert run_dry(policy, 0.0) == prompts


@given(st.lists(st.one_of(PEOPLE, st.none()), max_size=60))
def test_turns_are_fair(moves: list[str | None]) -> None:
    """While somebody waits, nobody else has two turns; `None` is a turn."""
    policy, now = RoundRobin(every=EVERY, each=99), 0.0
    turns_while_waiting: dict[str, Counter[str]] = {}
    for number, who in enumerate(moves):
        if who is not None:
            policy.propose(who, f"{who} {number}", now)
            turns_while_waiting.setdefault(who, Counter())
            continue
        now += EVERY
        proposal = policy.take(now)
        if proposal is None:
            continue
        (served,) = proposal.by
        del turns_while_waiting[served]
        for turns in turns_while_waiting.values():
            turns[served] += 1
            assert turns[served] == 1
        if any(served in each.by for each in policy.waiting):
            turns_while_waiting[served] = Counter()


@given(st.lists(PEOPLE, min_size=1, max_size=30))
def test_turns_starve_nobody(people: list[str]) -> None:
    """Everything accepted is applied, and of each person in the order of proposing."""
    policy = RoundRobin(every=EVERY, each=99)
    prompts = [f"{who} {number}" for number, who in enumerate(people)]
    for who, prompt in zip(people, prompts, strict=True):
        policy.propose(who, prompt, 0.0)
    expected = [each.prompt for each in policy.waiting]
    taken = run_dry(policy, 0.0)
    assert taken == expected
    for who in set(people):
        mine = [each for each in taken if each.startswith(who)]
        assert mine == [each for each in prompts if each.startswith(who)]


@given(st.lists(PEOPLE, min_size=2, max_size=4, unique=True), st.lists(st.tuples(PEOPLE, PEOPLE)))
def test_a_vote_is_won_by_most_and_then_the_earliest(authors, votes) -> None:
    """Each has one vote, that of an author is for their own until they vote otherwise."""
    policy = Vote(every=EVERY)
    ids = {who: policy.propose(who, f"by {who}", 0.0).proposal for who in authors}
    choice = {who: who for who in authors}
    for who, whose in votes:
        if whose in ids:
            assert policy.vote(who, ids[whose]).kind == "voted"
            choice[who] = whose
    tally = Counter(choice.values())
    winner = max(authors, key=lambda who: (tally[who], -authors.index(who)))
    assert policy.take(EVERY - 0.01) is None
    taken = policy.take(EVERY)
    assert taken is not None
    assert (taken.prompt, taken.votes) == (f"by {winner}", tally[winner])
    assert policy.waiting == [], "the others are dropped"
    assert policy.vote(authors[0], ids[authors[0]]).refused, "that round is over"
    assert policy.propose(authors[0], "again", EVERY).kind == "accepted"


def test_the_moderator_decides() -> None:
    """Nothing is applied that was not approved, and that is in the order of the approvals."""
    policy = Moderated(every=EVERY)
    first, second, third = (
        policy.propose(who, f"by {who}", 0.0).proposal for who in ("ada", "ben", "cy")
    )
    assert policy.due(0.0) is None
    for each in (third, first):
        policy.approve(each)
    assert policy.approve(first) is None, "it is approved already"
    rejected = policy.remove(second)
    assert rejected is not None
    assert rejected.by == ["ben"]
    assert policy.inbox == []
    assert run_dry(policy, 0.0) == ["by cy", "by ada"]


@pytest.mark.parametrize("kind", POLICIES.values(), ids=POLICIES)
def test_the_same_words_are_one_proposal(kind: type[Policy]) -> None:
    """Case, spaces and a full stop do not tell two prompts apart; both stand behind the one."""
    policy = kind(every=EVERY)
    one = policy.propose("ada", "It is  snowing.", 0.0)
    same = policy.propose("ben", "it is snowing", 1.0)
    assert (one.kind, same.kind) == ("accepted", "merged")
    assert one.proposal == same.proposal
    (proposal,) = [*policy.waiting, *policy.inbox]
    assert (proposal.prompt, proposal.by) == ("It is  snowing.", ["ada", "ben"])
    assert policy.propose("ben", "it is snowing!", 2.0).refused
    policy.withdraw("ada")
    assert [each.by for each in [*policy.waiting, *policy.inbox]] == [["ben"]]


def test_what_is_refused() -> None:
    """Empty and long prompts, more than one's share, and more than all may have waiting."""
    policy = Queue(longest=10, each=2, most=3)
    said = [
        policy.propose(who, prompt, 0.0).text
        for who, prompt in [
            ("ada", " . "), ("ada", "x" * 11), ("ada", "a"), ("ada", "b"), ("ada", "c"),
            ("ben", "c"), ("ben", "d"),
        ]
    ]  # fmt: skip
    assert said == [
        "it has no words",
        "too long: at most 10 characters",
        "it waits for its turn",
        "it waits for its turn",
        "2 of yours wait already",
        "it waits for its turn",
        "too many wait: try again later",
    ]
    assert policy.vote("ada", "1").refused
    for wrong in ({"every": 0}, {"longest": -1}, {"each": 0}, {"most": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Queue(**wrong)


@given(st.integers(1, 5), st.lists(st.integers(0, 20), max_size=60))
def test_no_minute_has_more_than_its_share(per_minute: int, gaps: list[int]) -> None:
    """In no minute are more taken; who waits as long as is said is taken."""
    limit, now, taken = RateLimit(per_minute), 0.0, []
    for gap in gaps:
        now += gap
        wait = limit.take("ada", now)
        if wait:
            assert 0 < wait <= 60
            assert sum(each > now - 60 for each in taken) == per_minute
        else:
            taken.append(now)
            assert sum(each > now - 60 for each in taken) <= per_minute
