// Pictures that the kernel decodes: asked for one at a time, and why there is none.

import assert from "node:assert/strict";
import test from "node:test";

import { NO_ANSWER } from "../../odyssey_nb/widgets/static/_shared.js";
import { Stills } from "../../odyssey_nb/widgets/static/stills.js";

const refusal = (error) => ({ ok: false, error, hint: "look there", prompt: "" });

test("what the kernel refuses is kept until a picture comes; silence is no refusal", async () => {
  const answers = [];
  const [shown, said] = [[], []];
  const stills = new Stills(
    {
      ask: async () => answers.shift() ?? refusal(NO_ANSWER),
      show: async ({ seq }) => void shown.push(seq),
      change: () => said.push(stills.refused?.error ?? null),
    },
    new AbortController().signal,
  );
  const picture = (seq) => ({ ok: true, stream: 1, seq, buffers: [new DataView(new ArrayBuffer(1))] });

  answers.push(picture(1), refusal("still failed"));
  await stills.keep(true);
  assert.deepEqual(shown, [1]);
  assert.deepEqual(said, ["still failed"]);

  answers.push(refusal("still failed"));
  await stills.keep(true);
  assert.deepEqual(said, ["still failed"], "told once");

  answers.push(picture(2));
  await stills.keep(true);
  assert.deepEqual(shown, [1, 2]);
  assert.deepEqual(said, ["still failed", null]);
  assert.equal(stills.refused, null);
});
