// The prompt box's arrow keys go through what was sent, as a shell's do.

import assert from "node:assert/strict";
import test from "node:test";

import { PromptHistory } from "../../odyssey_nb/widgets/static/history.js";

/** A box that keeps its text where there is nothing further. */
function box(...sent) {
  const history = new PromptHistory();
  for (const prompt of sent) history.add(prompt);
  const made = { text: "", history };
  const go = (step) => () => (made.text = history.go(step, made.text) ?? made.text);
  return Object.assign(made, { up: go(-1), down: go(1) });
}

test("up goes back to the first prompt and stays there", () => {
  const it = box("a forest", "snow", "fog");
  assert.deepEqual([it.up(), it.up(), it.up(), it.up()], ["fog", "snow", "a forest", "a forest"]);
});

test("the unfinished text is there again below the newest prompt", () => {
  const it = box("a forest", "snow");
  it.text = "fog over";
  it.up();
  it.up();
  assert.deepEqual([it.down(), it.down(), it.down()], ["snow", "fog over", "fog over"]);
});

test("what was edited on the way is kept until the next prompt is sent", () => {
  const it = box("a forest", "snow");
  it.up();
  it.text = "heavy snow";
  it.up();
  assert.equal(it.down(), "heavy snow");
  it.history.add("heavy snow");
  it.text = "";
  assert.deepEqual([it.up(), it.up(), it.up()], ["heavy snow", "snow", "a forest"]);
});

test("a prompt that is sent again is there once, as the newest", () => {
  const it = box("a forest", "snow", "a forest");
  assert.deepEqual([it.up(), it.up(), it.up()], ["a forest", "snow", "snow"]);
});

test("what was sent before is older, however late it is told, and moves nobody", () => {
  const it = box("snow", "fog");
  it.text = "fog over";
  it.up();
  it.history.recall(["a forest", "rain", "a forest", "snow"]);
  assert.equal(it.down(), "fog over");
  assert.deepEqual([it.up(), it.up(), it.up(), it.up()], ["fog", "snow", "a forest", "rain"]);
});

test("an empty history keeps the text", () => {
  const it = box();
  it.text = "fog";
  assert.deepEqual([it.up(), it.down()], ["fog", "fog"]);
});

test("it forgets the oldest, not what was typed last", () => {
  const it = box(...Array.from({ length: PromptHistory.MOST + 10 }, (_, each) => `prompt ${each}`));
  for (let each = 0; each < PromptHistory.MOST + 10; each += 1) it.up();
  assert.equal(it.text, "prompt 10");
  it.history.recall(["a forest"]);
  assert.equal(it.up(), "prompt 10");
});
