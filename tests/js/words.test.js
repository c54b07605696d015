// The dashboard's words: times, amounts, and what ends a session next.

import assert from "node:assert/strict";
import test from "node:test";

import { clock, hours, nextEnd } from "../../odyssey_nb/service/dashboard/words.js";

test("times read as on a clock", () => {
  const said = [-1, 0, 59.9, 61, 3600 + 2 * 60 + 5].map(clock);
  assert.deepEqual(said, ["0:00", "0:00", "0:59", "1:01", "1:02:05"]);
});

test("little use is told in minutes, and is never nothing", () => {
  const said = [0, 0.001, 0.5, 1, 12.34].map(hours);
  assert.deepEqual(said, ["0 h", "1 min", "30 min", "1 h", "12.3 h"]);
});

test("the clock that runs out first is told, silence only when there is some", () => {
  const clocks = { heartbeat_timeout: 38, idle_timeout: 800, duration_limit_reached: 3500 };
  assert.deepEqual(nextEnd(clocks), ["idle_timeout", 800]);
  assert.deepEqual(nextEnd({ ...clocks, heartbeat_timeout: 12 }), ["heartbeat_timeout", 12]);
  assert.equal(nextEnd({ heartbeat_timeout: 38 }), null);
});
