// Prompt sliders: places on a range, how far a gesture goes, and how a number reads.

import assert from "node:assert/strict";
import test from "node:test";

import { placeOf, reading, stride, valueAt } from "../../odyssey_nb/widgets/static/sliders.js";

const fog = { low: 0, grid: 0.002, step: 10, size: 500 };
const wind = { low: -3, grid: 1, step: 1, size: 12 };

test("a value is found at its place, and stays in its range", () => {
  assert.equal(valueAt(fog, placeOf(fog, 0.3)), 0.3);
  assert.equal(valueAt(wind, placeOf(wind, 4.4)), 4);
  assert.equal(valueAt(wind, placeOf(wind, 99)), 9);
  assert.equal(valueAt(wind, -5), -3);
});

test("shift goes further, alt less far, and never nowhere", () => {
  const keys = { shiftKey: false, altKey: false };
  assert.deepEqual(
    [keys, { ...keys, shiftKey: true }, { ...keys, altKey: true }].map((each) => stride(fog, each)),
    [10, 100, 1],
  );
  assert.equal(stride(wind, { ...keys, altKey: true }), 1);
});

test("a number reads as the last words that begin before it", () => {
  const table = /** @type {[number, string][]} */ ([[0, "no"], [100, "light"]]);
  assert.deepEqual([0, 99, 100, 500].map((at) => reading(table, at, 1)), ["no", "no", "light", "light"]);
  assert.equal(reading([], 3, 0.25), "0.25");
});
