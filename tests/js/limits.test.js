// What the player says about limits.

import assert from "node:assert/strict";
import test from "node:test";

import { endingOf, leftOf, meterOf } from "../../odyssey_nb/widgets/static/limits.js";

const unknown = { stream_ends: 0, connection_ends: 0, idle_since: 0, idle_ends: 0, budget_ends: 0 };

test("the meter counts the stream down, and leaves out what is unknown", () => {
  const live = { streaming: true, fps: 20, path: "direct", goesOn: false };
  const clocks = { ...unknown, stream_ends: 1134 };
  assert.equal(meterOf(live, clocks, 1000), "20 fps direct · 2:14 left");
  assert.equal(meterOf({ ...live, goesOn: true }, clocks, 1000), "20 fps direct · 2:14 left, then on");
  assert.equal(meterOf(live, unknown, 1000), "20 fps direct");
  assert.equal(meterOf({ ...live, fps: 0 }, clocks, 1000), "2:14 left");
  assert.equal(meterOf({ ...live, fps: 0 }, unknown, 1000), "");
});

test("a streamer that is held for nothing is told", () => {
  const idle = { streaming: false, fps: 0, path: "relay", goesOn: false };
  const clocks = { ...unknown, idle_since: 937, idle_ends: 1837 };
  assert.equal(meterOf(idle, clocks, 1000), "holding a GPU 1:03, no stream");
  assert.equal(meterOf(idle, unknown, 1000), "");
});

test("the connection's end is the nearer one of its own and that for want of a stream", () => {
  assert.equal(leftOf({ ...unknown, connection_ends: 4500 }, 1000), "58:20 left");
  assert.equal(leftOf({ ...unknown, connection_ends: 4500, idle_ends: 1837 }, 1000), "13:57 left");
  assert.equal(leftOf(unknown, 1000), "");
  const budget = { connection_ends: 4500, budget_ends: 1552 };
  assert.equal(leftOf({ ...unknown, ...budget }, 1000), "58:20 left · budget 9:12");
});

const live = { closed: false, streaming: true, again: true, atLimit: false, goesOn: false };
const idle = { ...live, streaming: false };

/** What is said of `now` at 1000 s, and whether it can go on. */
function said(now, clocks) {
  const ending = endingOf(now, { ...unknown, ...clocks }, 1000);
  return ending && [ending.words, ending.offer];
}

test("what ends within 15 s is told, the nearer of two", () => {
  assert.equal(said(live, { stream_ends: 1016, connection_ends: 4000 }), null);
  const stream = "the stream ends at its limit in 0:12";
  assert.deepEqual(said(live, { stream_ends: 1012, connection_ends: 1013 }), [stream, true]);
  const connection = "the connection ends at its limit in 0:03";
  assert.deepEqual(said(live, { stream_ends: 1012, connection_ends: 1003 }), [connection, true]);
});

test("what goes on by itself, or was told to, is no end", () => {
  assert.equal(said({ ...live, goesOn: true }, { stream_ends: 1012 }), null);
});

test("a budget ends what goes on too, and nothing goes on past it", () => {
  const words = "the budget ends in 0:09";
  for (const now of [live, { ...live, goesOn: true }, idle]) {
    assert.deepEqual(said(now, { stream_ends: 1012, budget_ends: 1009 }), [words, false]);
  }
});

test("a connection that idles can only go on with what it has shown", () => {
  const words = "the connection ends without a stream in 0:09";
  assert.deepEqual(said(idle, { idle_ends: 1009 }), [words, true]);
  assert.deepEqual(said({ ...idle, again: false }, { idle_ends: 1009 }), [words, false]);
});

test("a stream that has reached its limit can go on afterwards", () => {
  const words = "the stream has reached its limit";
  assert.deepEqual(said({ ...idle, atLimit: true }, { idle_ends: 1900 }), [words, true]);
  assert.equal(said(idle, { idle_ends: 1900 }), null);
});

test("a connection that has ended by itself can go on with what it has shown", () => {
  const closed = { ...idle, closed: true };
  assert.deepEqual(said(closed, {}), ["the connection has ended", true]);
});

test("a screen reader hears the same all the time", () => {
  const [one, other] = [1012, 1003].map((ends) => endingOf(live, { ...unknown, stream_ends: ends }, 1000));
  assert.equal(one.aloud, other.aloud);
  assert.doesNotMatch(one.aloud, /\d/);
});
