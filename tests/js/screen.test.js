// Which pictures reach the decoder, and what is acknowledged.

import assert from "node:assert/strict";
import test from "node:test";

import { Ledger, PictureGate, Rate, Waiting } from "../../odyssey_nb/widgets/static/screen.js";

const key = (seq) => ({ seq, follows: 0, key: true });
const delta = (seq, follows = seq - 1) => ({ seq, follows, key: false });

/** Judge pictures one after the other. */
function judge(gate, pictures) {
  return pictures.map((picture) => gate.admit(picture));
}

test("a stream starts with a keyframe", () => {
  const gate = new PictureGate();
  gate.begin(1);

  assert.deepEqual(judge(gate, [delta(1), delta(2), key(3), delta(4)]), [
    "gap",
    "gap",
    "decode",
    "decode",
  ]);
});

test("after a gap nothing is decoded until the next keyframe", () => {
  const gate = new PictureGate();
  gate.begin(1);

  const verdicts = judge(gate, [key(1), delta(2), delta(4), delta(5), key(6), delta(7)]);

  assert.deepEqual(verdicts, ["decode", "decode", "gap", "gap", "decode", "decode"]);
});

test("pictures may be left out before a keyframe, which builds on nothing", () => {
  const gate = new PictureGate();
  gate.begin(1);

  assert.deepEqual(judge(gate, [key(1), key(9), delta(10, 9)]), ["decode", "decode", "decode"]);
});

test("follows decides, not the number before", () => {
  const gate = new PictureGate();
  gate.begin(1);

  assert.deepEqual(judge(gate, [key(1), delta(5, 1), delta(6, 4)]), ["decode", "decode", "gap"]);
});

test("pictures sent again are decoded once, and the stream goes on after them", () => {
  const gate = new PictureGate();
  gate.begin(1);
  judge(gate, [key(1), delta(2), delta(3)]);

  const again = judge(gate, [key(1), delta(2), delta(3), delta(4)]);

  assert.deepEqual(again, ["repeat", "repeat", "repeat", "decode"]);
});

test("a gap closes when the missing pictures come after all", () => {
  const gate = new PictureGate();
  gate.begin(1);
  judge(gate, [key(1), delta(2)]);

  assert.deepEqual(judge(gate, [delta(4), delta(3), delta(4)]), ["gap", "decode", "decode"]);
});

test("a new decoder takes the same keyframe again", () => {
  const gate = new PictureGate();
  gate.begin(1);
  judge(gate, [key(1), delta(2)]);

  gate.restart();

  assert.deepEqual(judge(gate, [delta(3), key(1), delta(2), delta(3)]), [
    "gap",
    "decode",
    "decode",
    "decode",
  ]);
});

test("a new stream counts from one again", () => {
  const gate = new PictureGate();
  gate.begin(1);
  judge(gate, [key(1), delta(2), delta(3)]);

  gate.begin(2);

  assert.equal(gate.stream, 2);
  assert.deepEqual(judge(gate, [delta(4), key(1), delta(2)]), ["gap", "decode", "decode"]);
});

test("under any loss, repetition and reordering the decoder gets unbroken runs, in order", () => {
  let state = 7;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let round = 0; round < 300; round += 1) {
    const gate = new PictureGate();
    gate.begin(round);
    let last = 0;
    for (let step = 0; step < 120; step += 1) {
      const seq = Math.max(1, Math.min(60, Math.round(step / 2 + random() * 12 - 6)));
      const picture = seq % 10 === 1 ? key(seq) : delta(seq);
      if (gate.admit(picture) !== "decode") continue;
      assert.ok(seq > last, "no picture twice");
      assert.ok(picture.key || picture.follows === last, "nothing after a gap");
      last = seq;
    }
  }
});

test("an acknowledgement names the newest painted picture and counts since the last", () => {
  const ledger = new Ledger();
  for (const seq of [1, 2, 3, 4]) ledger.arrived(seq, 1000 + seq);
  ledger.painted(1);
  ledger.painted(3);

  assert.deepEqual(ledger.take(), { seq: 3, received: 1003, painted: 2 });
  assert.deepEqual(ledger.take(), { seq: 3, received: 1003, painted: 0 });
  assert.equal(ledger.waiting, 1);
});

test("before the first picture the acknowledgement says so", () => {
  assert.deepEqual(new Ledger().take(), { seq: 0, received: 0, painted: 0 });
});

test("a new stream's acknowledgement starts from nothing", () => {
  const ledger = new Ledger();
  ledger.arrived(9, 1009);
  ledger.painted(9);

  ledger.begin();

  assert.deepEqual(ledger.take(), { seq: 0, received: 0, painted: 0 });
});

test("a ledger whose pictures are never painted stays small", () => {
  const ledger = new Ledger();
  for (let seq = 1; seq <= 10 * Ledger.LONGEST; seq += 1) ledger.arrived(seq, seq);

  assert.equal(ledger.waiting, Ledger.LONGEST);
});

test("the rate is that of the last two seconds", () => {
  const rate = new Rate();
  for (let now = 0; now <= 4000; now += 50) rate.count(now);

  assert.ok(Math.abs(rate.perSecond(4000) - 20) <= 1);
  assert.equal(rate.perSecond(7000), 0);
});

test("a burst of pictures is no high rate", () => {
  const rate = new Rate();
  for (const now of [1, 2, 3, 4, 5]) rate.count(now);

  assert.equal(rate.perSecond(6), 10);
});

/** Decoded pictures by number, and the numbers of those that were closed. */
function decoded() {
  const closed = [];
  const picture = (seq) => ({ seq, close: () => closed.push(seq) });
  return { closed, picture };
}

test("a picture is painted as it comes, and the frame shows it", () => {
  const { picture } = decoded();
  const waiting = new Waiting();

  assert.equal(waiting.put(picture(1), 0).seq, 1);
  assert.equal(waiting.done, false);
  assert.equal(waiting.frame(16), null);
  assert.equal(waiting.done, true);
  assert.equal(waiting.put(picture(2), 20).seq, 2);
});

test("of two that come at once each has a frame", () => {
  const { closed, picture } = decoded();
  const waiting = new Waiting();

  assert.equal(waiting.put(picture(1), 0).seq, 1);
  assert.equal(waiting.put(picture(2), 1), null);
  assert.equal(waiting.frame(8), null); // it shows the first
  assert.equal(waiting.frame(24).seq, 2);
  assert.equal(waiting.done, true);
  assert.deepEqual(closed, []);
});

test("what waits is painted before what comes, once a frame has shown the one before", () => {
  const { picture } = decoded();
  const waiting = new Waiting();
  waiting.put(picture(1), 0);
  waiting.put(picture(2), 1);
  waiting.frame(8);

  assert.equal(waiting.put(picture(3), 9).seq, 2);
  assert.equal(waiting.frame(24), null);
  assert.equal(waiting.frame(31).seq, 3);
});

test("what is late gives way to what came after it, and the last is painted however late", () => {
  const { closed, picture } = decoded();
  const waiting = new Waiting();
  waiting.put(picture(1), 0);
  waiting.put(picture(2), 0);
  waiting.put(picture(3), 30);
  waiting.frame(Waiting.LATE);

  assert.equal(waiting.frame(Waiting.LATE + 1).seq, 3);
  assert.deepEqual(closed, [2]);
  waiting.put(picture(4), 100);
  waiting.put(picture(5), 101);
  waiting.frame(1000);
  assert.equal(waiting.frame(1001).seq, 5);
  assert.equal(waiting.frame(1002), null);
});

test("of a burst the first and the newest two are painted", () => {
  const { closed, picture } = decoded();
  const waiting = new Waiting();
  const painted = [1, 2, 3, 4, 5].map((seq) => waiting.put(picture(seq), 0)?.seq ?? null);

  assert.deepEqual(painted, [1, null, null, null, null]);
  assert.deepEqual(closed, [2, 3]);
  waiting.frame(0);
  assert.equal(waiting.frame(1).seq, 4);
  waiting.clear();
  assert.deepEqual(closed, [2, 3, 5]);
});

test("a page without frames paints whatever comes", () => {
  const { closed, picture } = decoded();
  const waiting = new Waiting();

  waiting.put(picture(1), 0);
  waiting.put(picture(2), 1);
  assert.deepEqual([3, 4].map((seq) => waiting.put(picture(seq), seq, true).seq), [3, 4]);
  assert.deepEqual(closed, [2]);
});
