// Questions to the kernel: one answer each, whatever happens.

import assert from "node:assert/strict";
import test from "node:test";

import {
  Commands,
  NO_ANSWER,
  every,
  listen,
  randomId,
} from "../../odyssey_nb/widgets/static/_shared.js";

const silence = { ok: false, error: NO_ANSWER, hint: "", prompt: "" };

/** Commands that keep what they sent. */
function recorder() {
  const sent = [];
  const closing = new AbortController();
  const commands = new Commands((content) => sent.push(content) > 0, closing.signal);
  return { sent, closing, commands };
}

test("an answer reaches the command it belongs to", async () => {
  const { sent, commands } = recorder();
  const snow = commands.ask({ type: "interact", prompt: "snow" }, 1000);
  const rain = commands.ask({ type: "interact", prompt: "rain" }, 1000);

  commands.settle({ id: sent[1].id, ok: false, error: "refused", hint: "other words", prompt: "" });
  commands.settle({ id: sent[0].id, ok: true, error: "", hint: "", prompt: "snow falls" });

  assert.deepEqual(await snow, { ok: true, error: "", hint: "", prompt: "snow falls" });
  assert.deepEqual(await rain, { ok: false, error: "refused", hint: "other words", prompt: "" });
  assert.deepEqual(
    sent.map(({ type, prompt }) => [type, prompt]),
    [
      ["interact", "snow"],
      ["interact", "rain"],
    ],
  );
});

test("no answer in time is an answer, and one that comes later is nobody's", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { sent, commands } = recorder();
  const answer = commands.ask({ type: "end" }, 10_000);

  t.mock.timers.tick(10_000);
  commands.settle({ id: sent[0].id, ok: true, error: "", hint: "", prompt: "" });

  assert.deepEqual(await answer, silence);
});

test("a kernel that cannot be reached answers at once", async () => {
  const commands = new Commands(() => false, new AbortController().signal);

  assert.deepEqual(await commands.ask({ type: "end" }, 60_000), silence);
});

test("closing the view fails what it still waits for", async () => {
  const { closing, commands } = recorder();
  const answer = commands.ask({ type: "start", prompt: "a beach" }, 60_000);

  closing.abort();

  assert.deepEqual(await answer, silence);
});

test("answers to other views are ignored", () => {
  recorder().commands.settle({ id: "other", ok: true, error: "", hint: "", prompt: "" });
});

test("listeners and timers end with their signal", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const closing = new AbortController();
  const handlers = new Set();
  const model = {
    on: (_name, handler) => handlers.add(handler),
    off: (_name, handler) => handlers.delete(handler),
  };
  let ticks = 0;
  listen(model, "msg:custom", () => {}, closing.signal);
  every(250, () => (ticks += 1), closing.signal);
  t.mock.timers.tick(500);
  assert.equal(handlers.size, 1);

  closing.abort();
  t.mock.timers.tick(500);

  assert.equal(handlers.size, 0);
  assert.equal(ticks, 2);
});

test("ids differ", () => {
  const ids = Array.from({ length: 1000 }, randomId);

  assert.equal(new Set(ids).size, 1000);
});
