// @ts-check
// Fragmented MP4 of H.264 pictures, one fragment each: what Media Source plays.
// Boxes are those of ISO/IEC 14496-12 and -15, units and parameter sets those of ITU-T H.264.

/** Of the timeline, per second. */
export const TIMESCALE = 1000;

const [IDR, SPS, PPS, DELIMITER] = [5, 7, 8, 9];
// The profiles whose parameter sets begin otherwise; WebRTC negotiates none of them here.
const HIGH = [100, 110, 122, 244, 44, 83, 86, 118, 128];
const MATRIX = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000];
const [KEY_FLAGS, DELTA_FLAGS] = [0x02000000, 0x01010000]; // builds on others or not; ISO 8.8.3.1

/** @typedef {Uint8Array | number[]} Bytes */

/** @param {...Bytes} parts */
export function joinBytes(...parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** @param {...number} numbers */
const u16 = (...numbers) => numbers.flatMap((number) => [(number >>> 8) & 255, number & 255]);

/** @param {...number} numbers */
const u32 = (...numbers) => numbers.flatMap((number) => u16(number >>> 16, number));

/** @param {string} type @param {...Bytes} parts */
function box(type, ...parts) {
  const size = parts.reduce((sum, part) => sum + part.length, 8);
  return joinBytes(u32(size), Array.from(type, (letter) => letter.charCodeAt(0)), ...parts);
}

/**
 * The NAL units of an access unit in Annex B form.
 *
 * @param {Uint8Array} data
 */
export function unitsOf(data) {
  /** @type {number[]} */
  const starts = [];
  for (let at = 2; at < data.length; at += 1) {
    if (data[at] === 1 && data[at - 1] === 0 && data[at - 2] === 0) starts.push(at + 1);
  }
  return starts.map((start, n) => {
    let end = n + 1 < starts.length ? starts[n + 1] - 3 : data.length;
    while (end > start && data[end - 1] === 0) end -= 1; // no unit ends in a zero
    return data.subarray(start, end);
  });
}

/** @param {Uint8Array} unit */
const typeOf = (unit) => unit[0] & 31;

/**
 * What the beginning of a stream says of it, or null where there are no parameter sets.
 *
 * @param {Uint8Array[]} units
 */
export function parametersOf(units) {
  const sps = units.find((unit) => typeOf(unit) === SPS);
  const pps = units.find((unit) => typeOf(unit) === PPS);
  return sps && pps ? { sps, pps } : null;
}

/** A stream as MIME types name it. @param {Uint8Array} sps */
export function mimeOf(sps) {
  const hex = Array.from(sps.subarray(1, 4), (byte) => byte.toString(16).padStart(2, "0"));
  return `video/mp4; codecs="avc1.${hex.join("")}"`;
}

/** Reads the bits of a parameter set, whose escapes (7.4.1) it leaves out. */
class Bits {
  #bytes;
  #at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes.filter(
      (byte, n) => !(byte === 3 && n > 1 && bytes[n - 1] === 0 && bytes[n - 2] === 0),
    );
  }

  bit() {
    const bit = (this.#bytes[this.#at >> 3] >> (7 - (this.#at & 7))) & 1;
    this.#at += 1;
    return bit;
  }

  /** The next number in Exp-Golomb code (9.1); those with a sign are as long. */
  number() {
    let zeros = 0;
    while (zeros < 32 && this.bit() === 0) zeros += 1;
    let number = 1;
    for (let n = 0; n < zeros; n += 1) number = number * 2 + this.bit();
    return number - 1;
  }
}

/**
 * The size of the pictures (7.3.2.1.1), in pixels.
 *
 * @param {Uint8Array} sps  of the baseline or main profile
 */
export function sizeOf(sps) {
  if (HIGH.includes(sps[1])) throw new RangeError(`H.264 profile ${sps[1]} is not read here`);
  const bits = new Bits(sps.subarray(4));
  for (let n = 0; n < 2; n += 1) bits.number(); // its id, frame numbers
  const order = bits.number();
  if (order === 0) bits.number();
  if (order === 1) {
    bits.bit();
    for (let n = 0; n < 2; n += 1) bits.number();
    for (let left = bits.number(); left > 0; left -= 1) bits.number();
  }
  bits.number(); // reference frames
  bits.bit();
  const width = (bits.number() + 1) * 16;
  const rows = bits.number() + 1;
  const fields = bits.bit() ? 1 : 2;
  if (fields === 2) bits.bit();
  bits.bit();
  const cropped = bits.bit() === 1;
  const [left, right, top, bottom] = [0, 0, 0, 0].map(() => (cropped ? bits.number() : 0));
  return {
    width: width - 2 * (left + right),
    height: fields * (rows * 16 - 2 * (top + bottom)),
  };
}

/**
 * The header of a stream.
 *
 * @param {{ sps: Uint8Array, pps: Uint8Array }} parameters
 */
export function initialization({ sps, pps }) {
  const { width, height } = sizeOf(sps);
  const avcC = box(
    "avcC",
    [1, ...sps.subarray(1, 4), 0xff, 0xe1], // lengths of 4 bytes, one SPS
    u16(sps.length),
    sps,
    [1],
    u16(pps.length),
    pps,
  );
  const entry = box(
    "avc1",
    u32(0, 1, 0, 0, 0, 0),
    u16(width, height),
    u32(0x480000, 0x480000, 0),
    u16(1),
    new Uint8Array(32), // a name
    u16(24, 0xffff),
    avcC,
  );
  const tables = box(
    "stbl",
    box("stsd", u32(0, 1), entry),
    box("stts", u32(0, 0)),
    box("stsc", u32(0, 0)),
    box("stsz", u32(0, 0, 0)),
    box("stco", u32(0, 0)),
  );
  const media = box(
    "mdia",
    box("mdhd", u32(0, 0, 0, TIMESCALE, 0), u16(0x55c4, 0)), // of no language
    box("hdlr", u32(0, 0), Array.from("vide", (letter) => letter.charCodeAt(0)), u32(0, 0, 0), [0]),
    box(
      "minf",
      box("vmhd", u32(1, 0, 0)),
      box("dinf", box("dref", u32(0, 1), box("url ", u32(1)))),
      tables,
    ),
  );
  // No duration anywhere: browsers take it for live, and wait for no more pictures than one.
  return joinBytes(
    box("ftyp", Array.from("iso5\0\0\0\0iso5avc1mp41", (letter) => letter.charCodeAt(0))),
    box(
      "moov",
      box(
        "mvhd",
        u32(0, 0, 0, TIMESCALE, 0, 0x10000, 0x1000000, 0, 0, ...MATRIX, 0, 0, 0, 0, 0, 0, 2),
      ),
      box(
        "trak",
        box("tkhd", u32(3, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...MATRIX, width << 16, height << 16)),
        media,
      ),
      box("mvex", box("trex", u32(0, 1, 1, 0, 0, 0))),
    ),
  );
}

/**
 * One picture. Its parameter sets stay out, because the header has them.
 *
 * @param {Uint8Array[]} units
 * @param {object} of
 * @param {number} of.number  counts fragments from 1
 * @param {number} of.time  when it is shown, in `TIMESCALE`
 * @param {number} of.duration
 */
export function fragment(units, { number, time, duration }) {
  const slices = units.filter((unit) => ![SPS, PPS, DELIMITER].includes(typeOf(unit)));
  const data = slices.flatMap((unit) => [u32(unit.length), unit]);
  const size = data.reduce((sum, part) => sum + part.length, 0);
  const flags = slices.some((unit) => typeOf(unit) === IDR) ? KEY_FLAGS : DELTA_FLAGS;
  const moof = (/** @type {number} */ offset) =>
    box(
      "moof",
      box("mfhd", u32(0, number)),
      box(
        "traf",
        box("tfhd", u32(0x020000, 1)), // data is found from the moof on
        box("tfdt", u32(0x01000000, Math.floor(time / 2 ** 32), time >>> 0)),
        box("trun", u32(0x000701, 1, offset, duration, size, flags)),
      ),
    );
  return joinBytes(moof(moof(0).length + 8), box("mdat", ...data));
}
