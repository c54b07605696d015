// The figures over the picture, and the names of what is saved.

import assert from "node:assert/strict";
import test from "node:test";

import {
  Gauge,
  bitrate,
  lossOf,
  median,
  percent,
} from "../../odyssey_nb/widgets/static/overlay.js";
import { fileName, megabytes } from "../../odyssey_nb/widgets/static/saves.js";
import { middleOf, whyOf } from "../../odyssey_nb/widgets/static/words.js";

const picture = (seq, came, stream = 1) => ({ stream, seq, came });

test("bitrate, latency and missing pictures are those of the last five seconds", () => {
  const gauge = new Gauge();
  gauge.arrived(picture(1, 900), 99_999, 0);
  for (const step of [1, 2, 4, 5]) {
    const now = 10_000 + 250 * step;
    gauge.arrived(picture(1 + step, now), 10_000, now);
    gauge.painted(1 + step, now + 10 * step, now);
  }
  const { bitrate: rate, latency, missing } = gauge.figures(11_250);
  assert.equal(rate, (40_000 * 8) / 5);
  assert.equal(latency, 40, "of 10, 20, 40 and 50");
  assert.equal(missing, 1 / 5);
});

test("pictures that come again, of another stream or after a pause are not missing", () => {
  const gauge = new Gauge();
  for (const [seq, stream] of [[7, 1], [8, 1], [6, 1], [9, 1], [40, 2], [41, 2]]) {
    gauge.arrived(picture(seq, 0, stream), 1, 0);
  }
  assert.equal(gauge.figures(0).missing, 0);
  gauge.clear();
  gauge.arrived(picture(90, 0, 2), 1, 0);
  assert.equal(gauge.figures(0).missing, 0);
});

test("what is not known is not said", () => {
  const gauge = new Gauge();
  assert.deepEqual(gauge.figures(0), { bitrate: null, latency: null, missing: null });
  gauge.painted(5, 100, 0); // nobody said when it came
  assert.equal(gauge.figures(0).latency, null);
  assert.equal(median([]), null);
  assert.equal(bitrate(null), "–");
  assert.equal(percent(null), "–");
});

test("figures are as exact as they are worth", () => {
  assert.equal(bitrate(843_000), "843 kbit/s");
  assert.equal(bitrate(2_346_000), "2.3 Mbit/s");
  assert.deepEqual([0, 0.0002, 0.004, 0.123].map(percent), ["0 %", "< 0.1 %", "0.4 %", "12 %"]);
});

test("loss is what was lost between the first and the last count", () => {
  assert.equal(lossOf([{ came: 10, lost: 90 }]), null, "one count says nothing");
  assert.equal(lossOf([{ came: 10, lost: 90 }, { came: 100, lost: 100 }]), 0.1);
  assert.equal(lossOf([{ came: 10, lost: 90 }, { came: 10, lost: 90 }]), null);
  assert.equal(lossOf([{ came: 10, lost: 5 }, { came: 20, lost: 4 }]), 0, "some came after all");
});

test("files are named by the time, and their size is told", () => {
  assert.equal(fileName("snapshot", new Date(2026, 0, 5, 9, 8, 7)), "odyssey-snapshot-20260105-090807.png");
  assert.equal(megabytes(12_345), "13 kB");
  assert.equal(megabytes(912_345), "0.9 MB");
});

const now = {
  status: "connected",
  streaming: true,
  stage: "",
  quiet: false,
  starting: false,
  painted: true,
  shown: true,
  over: "",
};

for (const [change, text, busy] of [
  [{}, "", false],
  [{ status: "connecting", stage: "negotiating video" }, "negotiating video", true],
  [{ quiet: true }, "no picture for 3 s; the kernel or the service may be gone", false],
  [{ starting: true, streaming: false }, "starting…", true],
  [{ status: "authenticating", streaming: false }, "connecting…", true],
  [{ painted: false }, "waiting for the first picture…", true],
  [{ streaming: false }, "", false],
  [{ streaming: false, shown: false }, "type a prompt to start a stream", false],
  [{ streaming: false, shown: false, status: "failed" }, "type a prompt to try again", false],
  [{ streaming: false, shown: false, over: "the broadcast has ended" }, "the broadcast has ended", false],
]) {
  test(`the middle says "${text}" for ${JSON.stringify(change)}`, () => {
    assert.deepEqual(middleOf({ ...now, ...change }), { text, busy });
  });
}

test("why it takes long is said once it does", () => {
  assert.equal(whyOf("waiting for a streamer", 3.9), "");
  assert.equal(
    whyOf("waiting for a streamer", 12.3),
    "0:12 · all are taken; ody.sessions() says by whom",
  );
  assert.match(whyOf("starting the stream", 4), /^0:04 · the world makes its first picture$/);
  assert.equal(whyOf("something new", 5), "0:05");
});
