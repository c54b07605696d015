// The MP4 of one fragment per picture, box by box; what decodes it is tried in Python.

import assert from "node:assert/strict";
import test from "node:test";

import {
  fragment, initialization, joinBytes, mimeOf, parametersOf, sizeOf, unitsOf,
} from "../../odyssey_nb/widgets/static/mp4.js";

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
// As libx264 writes them for 1280×704 and 704×1280, baseline, level 3.1.
const LANDSCAPE = bytes("6742c01fda01401669a8303032000003000200000300511e306540");
const PORTRAIT = bytes("6742c01fda02c02869a8303032000003000200000300511e306540");
const PPS = bytes("68ce3c80");
const START = [0, 0, 0, 1];

/** The boxes in `data`, as [type, content]. */
function boxes(data) {
  const found = [];
  for (let at = 0; at < data.length; ) {
    const size = new DataView(data.buffer, data.byteOffset).getUint32(at);
    const type = String.fromCharCode(...data.subarray(at + 4, at + 8));
    found.push([type, data.subarray(at + 8, at + size)]);
    at += size;
  }
  return found;
}

/** The content of the box at a path of types. */
function find(data, ...path) {
  return path.reduce((content, type) => boxes(content).find(([name]) => name === type)[1], data);
}

test("an access unit falls into its units, whatever its start codes", () => {
  const data = joinBytes(START, LANDSCAPE, [0, 0, 1], PPS, [0, 0, 1], [0x65, 1, 0, 0, 2], [0, 0]);

  assert.deepEqual(unitsOf(data), [LANDSCAPE, PPS, Uint8Array.of(0x65, 1, 0, 0, 2)]);
  assert.deepEqual(unitsOf(new Uint8Array(3)), []);
});

test("parameter sets say what the stream is", () => {
  assert.deepEqual(sizeOf(LANDSCAPE), { width: 1280, height: 704 });
  assert.deepEqual(sizeOf(PORTRAIT), { width: 704, height: 1280 });
  assert.equal(mimeOf(LANDSCAPE), 'video/mp4; codecs="avc1.42c01f"');
  assert.equal(parametersOf([Uint8Array.of(0x65)]), null);
  assert.throws(() => sizeOf(bytes("6764001f")), /profile 100/);
});

test("a size that is no multiple of 16 is cropped", () => {
  assert.deepEqual(sizeOf(bytes("6742c01fda014016fee6a0c0c0c80000030008000003014478c195")), { width: 1280, height: 716 });
});

test("the header has the size, the parameter sets and no duration", () => {
  const header = initialization({ sps: LANDSCAPE, pps: PPS });

  assert.deepEqual(boxes(header).map(([type]) => type), ["ftyp", "moov"]);
  const stsd = find(header, "moov", "trak", "mdia", "minf", "stbl", "stsd");
  const entry = find(stsd.subarray(8), "avc1");
  assert.deepEqual([...entry.subarray(24, 28)], [5, 0, 2, 192]);
  const avcC = find(entry.subarray(78), "avcC");
  assert.deepEqual(avcC.subarray(8, 8 + LANDSCAPE.length), LANDSCAPE);
  assert.deepEqual(avcC.subarray(-PPS.length), PPS);
  assert.deepEqual([...find(header, "moov", "mvhd").subarray(16, 20)], [0, 0, 0, 0]);
});

test("a fragment has the slices, with their lengths, where it says they are", () => {
  const slice = Uint8Array.of(0x65, 1, 2, 3);
  const made = fragment([Uint8Array.of(9, 16), LANDSCAPE, PPS, slice], { number: 7, time: 300, duration: 50 });

  const run = new DataView(find(made, "moof", "traf", "trun").slice().buffer);
  const [offset, duration, size, flags] = [8, 12, 16, 20].map((at) => run.getUint32(at));
  assert.deepEqual([duration, size, flags], [50, 8, 0x02000000]);
  assert.deepEqual([...made.subarray(offset)], [0, 0, 0, 4, ...slice]);
  assert.equal(find(made, "moof", "traf", "tfdt").at(-1), 300 & 255);
  const delta = fragment([Uint8Array.of(0x41, 1)], { number: 8, time: 350, duration: 50 });
  const flagged = new DataView(find(delta, "moof", "traf", "trun").slice().buffer);
  assert.equal(flagged.getUint32(20), 0x01010000);
});
