// What the direct view makes of the sidecar's words.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import test from "node:test";

globalThis.location ??= { hostname: "127.0.0.1" };
const { prove, unpack } = await import("../../odyssey_nb/widgets/static/direct.js");
const { Latest, traitsOf } = await import("../../odyssey_nb/widgets/static/traits.js");

const status = (status, message = "", hint = "") => ({ type: "status_changed", status, message, hint });
const stream = (state, more = {}) => ({ type: "stream_changed", state, prompt: "", reason: "", extends: "", continues: "", ...more });

for (const [event, traits] of [
  [status("connected", "hello"), { status: "connected", stage: "" }],
  [status("reconnecting", "trying again"), { status: "reconnecting", stage: "trying again" }],
  [status("disconnected"), { status: "disconnected", stage: "", streaming: false }],
  [
    status("failed", "no", "do"),
    { status: "failed", stage: "", streaming: false, error: "no", hint: "do" },
  ],
  [stream("starting"), { extends: "", at_limit: false, stage: "starting the stream" }],
  [
    stream("starting", { extends: "always", continues: "the stream's limit" }),
    { extends: "always", at_limit: false },
  ],
  [
    stream("streaming", { prompt: "fog" }),
    { applied_prompt: "fog", extends: "", stage: "", streaming: true },
  ],
  [
    stream("none", { reason: "ended" }),
    { extends: "", stage: "", streaming: false, at_limit: false },
  ],
  [
    stream("none", { reason: "session_timeout", extends: "once", continues: "the stream's limit" }),
    { extends: "once" },
  ],
  [
    stream("none", { reason: "session_timeout", message: "150 s are over" }),
    { extends: "", stage: "", streaming: false, at_limit: true, error: "150 s are over", hint: "" },
  ],
  [
    { type: "clocks", stream_ends: 1, connection_ends: 2, idle_since: 3, idle_ends: 4, budget_ends: 5 },
    { stream_ends: 1, connection_ends: 2, idle_since: 3, idle_ends: 4, budget_ends: 5 },
  ],
]) {
  test(`${JSON.stringify(event)} in the words of the traits`, () => {
    assert.deepEqual(traitsOf(event), traits);
  });
}

test("a picture comes out of its frame as it went in", () => {
  const header = Buffer.from(JSON.stringify({ stream: 1, seq: 2 }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(header.length);
  const frame = new Uint8Array([...length, ...header, 7, 8, 9]).buffer;

  const { picture, data } = unpack(frame);

  assert.deepEqual(picture, { stream: 1, seq: 2 });
  assert.deepEqual([data.getUint8(0), data.getUint8(2), data.byteLength], [7, 9, 3]);
});

test("the proof is the HMAC that the sidecar makes", async () => {
  const expected = createHmac("sha256", "a secret").update("words").digest("hex");

  assert.equal(await prove("a secret", "words"), expected);
});

test("the newest word counts, whoever said it, and tells only what changed", () => {
  const traits = { streaming: true };
  const listeners = {};
  const model = {
    get: (name) => traits[name],
    on: (event, heard) => (listeners[event] = heard),
    off() {},
  };
  const changed = [];
  const latest = new Latest(
    model,
    ["streaming"],
    (name) => changed.push(name),
    new AbortController().signal,
  );

  latest.say({ streaming: false });
  assert.equal(latest.get("streaming"), false);
  traits.streaming = false; // the kernel comes to the same a little later
  listeners["change:streaming"]();
  assert.deepEqual(changed, ["streaming"]);
  traits.streaming = true;
  listeners["change:streaming"]();
  assert.equal(latest.get("streaming"), true);
});
