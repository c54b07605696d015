// What the line under the picture shows, and where.

import assert from "node:assert/strict";
import test from "node:test";

import { ofOneStream, saying, spread, windowOf } from "../../odyssey_nb/widgets/static/timeline.js";

const happening = (at, stream, kind, text = "") => ({ at, stream, time: at - 100, kind, text });
const START = happening(100, 1, "start", "a forest");
const SNOW = happening(110, 1, "interact", "snow");

test("a stream that is started afresh begins a new line", () => {
  const sea = happening(150, 2, "start", "the sea");
  assert.deepEqual(ofOneStream([START, SNOW, sea]), [sea]);
  assert.deepEqual(ofOneStream([SNOW, START]), [START, SNOW], "in order, however they came");
});

test("a stream that went on past a limit is on the same line, and did not start there", () => {
  const again = happening(150, 2, "start", "snow");
  const on = happening(150.001, 2, "continued", "past the stream's limit");
  const fog = happening(160, 2, "interact", "fog");
  assert.deepEqual(ofOneStream([START, SNOW, again, on, fog]), [START, SNOW, on, fog]);
});

test("nothing is known, and nothing is shown", () => {
  assert.deepEqual(ofOneStream([]), []);
  assert.deepEqual(ofOneStream([SNOW]), [SNOW], "its start is too long ago");
});

test("a young stream grows from the left, an old one shows its last 150 s", () => {
  assert.deepEqual(windowOf(100, 100), { from: 100, played: 0 });
  assert.deepEqual(windowOf(100, 130), { from: 100, played: 0.2 });
  assert.deepEqual(windowOf(100, 250), { from: 100, played: 1 });
  assert.deepEqual(windowOf(100, 300), { from: 150, played: 1 });
});

test("marks that would hide each other make room, in order and within the line", () => {
  const near = (places, others) =>
    places.every((place, at) => Math.abs(place - others[at]) < 1e-9) && places.length === others.length;
  assert.ok(near(spread([0, 0.5, 1], 0.1), [0, 0.5, 1]));
  assert.ok(near(spread([0.2, 0.2, 0.25, 0.9], 0.1), [0.2, 0.3, 0.4, 0.9]));
  assert.ok(near(spread([0.1, 0.99, 1], 0.1), [0.1, 0.9, 1]));
  assert.ok(near(spread([1, 1, 1], 0.9), [0, 0.5, 1]), "too many for the gap");
  assert.deepEqual(spread([], 0.1), []);
  assert.deepEqual(spread([0.3], 0.1), [0.3]);
});

for (const [story, one, words] of [
  ["a prompt", SNOW, "0:10 snow"],
  ["a mark", happening(112.9, 1, "mark"), "0:12 mark"],
  ["a mark with words", happening(175, 1, "mark", "odd!"), "1:15 mark: odd!"],
  ["a limit", happening(250, 2, "continued", "past the stream's limit"), "2:30 went on past the stream's limit"],
  ["a repair", happening(130, 1, "reconnected", "the same session after 2.0 s"), "0:30 reconnected: the same session after 2.0 s"],
]) {
  test(`${story} says when and what`, () => assert.equal(saying(one), words));
}
