// The player's words and clocks.

import assert from "node:assert/strict";
import test from "node:test";

import { Throttle, clock } from "../../odyssey_nb/widgets/static/_shared.js";
import { KernelClock, fateAfter } from "../../odyssey_nb/widgets/static/kernel.js";
import { fateOf, pillOf, seenAgain, titled, unseenOf } from "../../odyssey_nb/widgets/static/words.js";

const quiet = { status: "connected", streaming: false, starting: false, quiet: false, past: false };

for (const [now, tone, words] of [
  [{ status: "disconnected" }, "idle", "not connected"],
  [{ status: "disconnected", past: true }, "idle", "ended"],
  [{ status: "authenticating" }, "busy", "connecting…"],
  [{ status: "connecting" }, "busy", "connecting…"],
  [{}, "idle", "connected, no stream"],
  [{ starting: true }, "busy", "starting…"],
  [{ streaming: true }, "live", "live"],
  [{ streaming: true, quiet: true }, "busy", "no picture"],
  [{ status: "reconnecting", streaming: true }, "busy", "reconnecting…"],
  [{ status: "failed", past: true }, "failed", "failed"],
]) {
  test(`the pill says "${words}" for ${JSON.stringify(now)}`, () => {
    assert.deepEqual(pillOf({ ...quiet, ...now }), [tone, words]);
  });
}

test("time left is written like a clock and never negative", () => {
  assert.equal(clock(134), "2:14");
  assert.equal(clock(133.2), "2:14");
  assert.equal(clock(9), "0:09");
  assert.equal(clock(0), "0:00");
  assert.equal(clock(-5), "0:00");
  assert.equal(clock(3661), "1:01:01");
});

for (const [story, words, fate] of [
  ["Restart in the menu", ["restarting", "connecting", "unknown", "connected", "idle"], "restarted"],
  ["a killed kernel", ["restarting", "autorestarting", "connecting", "connected"], "died"],
  ["a restart from another page", ["busy", "starting", "idle"], "died"],
  ["Shut Down in the menu", ["dead", "disposed", "disconnected"], "shut down"],
  ["a broken line", ["connecting", "unknown"], "unreachable"],
  ["a broken line that comes back", ["connecting", "unknown", "connected", "idle"], "live"],
  ["a server that stays away", ["connecting", "disconnected"], "lost"],
  ["reconnecting by hand", ["connecting", "disconnected", "connecting", "connected"], "live"],
]) {
  test(`${story}: ${fate}`, () => {
    assert.equal(words.reduce(fateAfter, "live"), fate);
  });
}

test("the release is told only where the kernel told it", () => {
  const known = fateOf("restarted", 0.1234);
  assert.equal(known.text, "the kernel restarted; session released 0.1 s later; run the connect cell");
  assert.match(fateOf("shut down", 0.0412).text, /shut down; session released 0.04 s later/);
  assert.equal(fateOf("died", null).text, "the kernel died and was started again; run the connect cell");
  assert.equal(fateOf("unreachable", null).tone, "busy");
});

test("a view that is seen again says what would have come", () => {
  assert.equal(
    seenAgain({ unseen: 88, step: "end", left: 32 }),
    "unseen for 1:28; the stream would have ended in 0:32",
  );
  assert.match(seenAgain({ unseen: 200, step: "disconnect", left: 100 }), /disconnected in 1:40/);
});

test("a stream that nobody sees says what is about to come of it", () => {
  const coming = { name: "default", step: "end", left: 31.4 };
  assert.equal(unseenOf(coming), "Nobody sees the stream 'default': it ends in 0:32.");
  const then = { ...coming, step: "disconnect", left: 0.2 };
  assert.equal(unseenOf(then), "Nobody sees 'default': it is disconnected in 0:01.");
});

test("a title has one countdown before it, whoever changes it, and in the end none", () => {
  const first = titled("walk.ipynb", 32);
  assert.equal(first, "\u2060(0:32) walk.ipynb");
  assert.equal(titled(first, 30.5), "\u2060(0:31) walk.ipynb");
  assert.equal(titled(titled("renamed.ipynb", 3700), null), "renamed.ipynb");
  assert.equal(titled("(0:32) a song.ipynb", null), "(0:32) a song.ipynb", "its own is left alone");
});

test("a kernel whose clock is wrong is believed about its own time", () => {
  const clockOfKernel = new KernelClock();
  assert.equal(clockOfKernel.seconds(5000), 5);

  clockOfKernel.hear(1_000_250, 1_300); // 300 ms on the way
  clockOfKernel.hear(1_001_000, 1_760); // 10 ms
  clockOfKernel.hear(1_002_000, 2_950); // 200 ms
  clockOfKernel.hear(0, 1); // a message without a time

  assert.equal(clockOfKernel.seconds(2_760), 1002);
});

test("a throttle lets one through per period, and none while held", () => {
  const throttle = new Throttle(1000);

  assert.deepEqual(
    [0, 500, 999, 1000, 1500, 2400].map((now) => throttle.allows(now)),
    [true, false, false, true, false, true],
  );

  throttle.hold(5000);
  assert.deepEqual(
    [4999, 5000].map((now) => throttle.allows(now)),
    [false, true],
  );
});
