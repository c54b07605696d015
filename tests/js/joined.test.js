// A widget is loaded as one text: its helper files and itself, joined as base.py joins them.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

const STATIC = new URL("../../odyssey_nb/widgets/static/", import.meta.url);

/** Join files in order, without imports of each other and with only the last one's default export. */
async function join(...names) {
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, STATIC), "utf8")));
  return texts
    .join("\n")
    .replace(/^import .* from "\.{1,2}\/[^"]+";\n/gm, "")
    .replace(/^export (?!default )/gm, "");
}

for (const names of [
  ["_shared.js", "film.js", "links.js", "crowd.js"],
  ["_shared.js", "film.js", "links.js", "invitations.js"],
  ["_shared.js", "film.js", "mp4.js", "decoders.js", "screen.js", "stills.js", "kernel.js", "words.js", "limits.js", "ways.js", "traits.js", "direct.js", "floating.js", "sight.js", "furniture.js", "toolbar.js", "history.js", "steering.js", "saves.js", "timeline.js", "overlay.js", "face.js", "unseen.js", "poster.js", "../../service/watch/broadcast.js", "spectating.js", "player.js"],
  ["_shared.js", "film.js", "gallery.js"],
  ["_shared.js", "film.js", "clip.js"],
  ["_shared.js", "sliders.js"],
  ["_shared.js", "compare.js"],
  ["mp4.js", "decoders.js", "probe.js"],
]) {
  test(`${names.join(", ")} make one module whose only export is the widget`, async () => {
    const text = await join(...names);

    const joined = await import(`data:text/javascript,${encodeURIComponent(text)}`);

    assert.deepEqual(Object.keys(joined), ["default"]);
    const hook = names.includes("probe.js") ? "initialize" : "render"; // it shows nothing
    assert.deepEqual(Object.keys(joined.default), [hook]);
  });
}
