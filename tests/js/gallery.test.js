// The gallery: a video comes in parts, each asked for when the one before is here.

import assert from "node:assert/strict";
import test from "node:test";

import { fetchWhole, happened } from "../../odyssey_nb/widgets/static/film.js";

const never = new AbortController().signal;

/** A kernel's answers: `sizes` bytes, one after another, of `size` in all. */
function kernel(size, ...sizes) {
  const asked = [];
  const part = async (start) => {
    asked.push(start);
    return { data: new DataView(new ArrayBuffer(sizes.shift())), size };
  };
  return { asked, part };
}

test("parts are asked for one after another until the whole is here", async () => {
  const { asked, part } = kernel(25, 10, 10, 5);
  const seen = [];
  const whole = await fetchWhole(part, (fraction) => seen.push(fraction), never);
  assert.deepEqual(asked, [0, 10, 20]);
  assert.deepEqual(seen, [0.4, 0.8, 1]);
  assert.equal(whole.size, 25);
  assert.equal(whole.type, "video/mp4");
});

test("a file that ends too early is an error, not an endless loop", async () => {
  const { part } = kernel(25, 10, 0);
  await assert.rejects(
    fetchWhole(part, () => {}, never),
    /shorter/,
  );
});

test("closing the player asks for no more", async () => {
  const { asked, part } = kernel(25, 10, 10, 5);
  const closing = new AbortController();
  await assert.rejects(
    fetchWhole(part, () => closing.abort(), closing.signal),
    { name: "AbortError" },
  );
  assert.deepEqual(asked, [0, 10]);
});

test("events read as sentences", () => {
  const said = [
    { type: "start", applied_prompt: "a forest" },
    { type: "mark", text: "odd!" },
    { type: "end", reason: "session_timeout" },
  ].map(happened);
  assert.deepEqual(said, ["a forest", "⚑ odd!", "ended (session timeout)"]);
});
