// What the player says about limits.

import assert from "node:assert/strict";
import test from "node:test";

import { leftOf, meterOf } from "../../odyssey_nb/widgets/static/limits.js";

const unknown = { stream_ends: 0, connection_ends: 0, idle_since: 0, idle_ends: 0 };

test("the meter counts the stream down, and leaves out what is unknown", () => {
  const live = { streaming: true, fps: 20, path: "direct" };
  const clocks = { ...unknown, stream_ends: 1134 };
  assert.equal(meterOf(live, clocks, 1000), "20 fps direct · 2:14 left");
  assert.equal(meterOf(live, unknown, 1000), "20 fps direct");
  assert.equal(meterOf({ ...live, fps: 0 }, clocks, 1000), "2:14 left");
  assert.equal(meterOf({ ...live, fps: 0 }, unknown, 1000), "");
});

test("a streamer that is held for nothing is told", () => {
  const idle = { streaming: false, fps: 0, path: "relay" };
  const clocks = { ...unknown, idle_since: 937, idle_ends: 1837 };
  assert.equal(meterOf(idle, clocks, 1000), "holding a GPU 1:03, no stream");
  assert.equal(meterOf(idle, unknown, 1000), "");
});

test("the connection's end is the nearer one of its own and that for want of a stream", () => {
  assert.equal(leftOf({ ...unknown, connection_ends: 4500 }, 1000), "58:20 left");
  assert.equal(leftOf({ ...unknown, connection_ends: 4500, idle_ends: 1837 }, 1000), "13:57 left");
  assert.equal(leftOf(unknown, 1000), "");
});
