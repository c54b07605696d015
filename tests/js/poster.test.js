// When a poster is sent: seldom, and only what was not sent before.

import assert from "node:assert/strict";
import test from "node:test";

import { Poster } from "../../odyssey_nb/widgets/static/poster.js";

const canvas = { width: 1280, height: 704 };

globalThis.document = {
  createElement: () => ({
    getContext: () => ({ drawImage() {} }),
    toBlob: (done, _type, quality) => done(new Blob(["x".repeat(100_000 * quality)])),
  }),
};

test("a poster is sent soon after the first picture, then seldom, and at the end", async () => {
  const sizes = [];
  const poster = new Poster(canvas, (jpeg) => sizes.push(jpeg.byteLength));
  const sent = async (seq, streaming, now) => {
    const before = sizes.length;
    poster.keep({ stream: seq ? 7 : null, seq }, streaming, now);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    return sizes.length - before;
  };

  assert.equal(await sent(0, true, 1000), 0, "nothing is painted yet");
  assert.equal(await sent(1, true, 2000), 0);
  assert.equal(await sent(50, true, 4000), 1, "soon");
  assert.equal(await sent(600, true, 33_000), 0);
  assert.equal(await sent(660, true, 34_000), 1, "after half a minute");
  assert.equal(await sent(660, true, 70_000), 0, "nothing new");
  assert.equal(await sent(900, false, 80_000), 1, "the last one");
  assert.equal(await sent(902, false, 80_050), 1, "what was painted after the end");
  assert.equal(await sent(902, false, 200_000), 0, "idle");
  assert.deepEqual(sizes, [65_000, 65_000, 65_000, 65_000], "small enough");
});
