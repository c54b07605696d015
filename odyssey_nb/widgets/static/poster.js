// @ts-check
// The poster: now and then the picture as a small JPEG, which the saved notebook keeps.

import { element } from "./_shared.js";

const POSTER_EVERY = 30_000; // milliseconds, as all times here
const POSTER_FIRST = 2000; // after a stream's first picture
const POSTER_LONGEST = 960; // pixels of its longer side
const POSTER_BYTES = 72_000;
const POSTER_QUALITIES = [0.8, 0.65, 0.5, 0.35, 0.2];

/**
 * Hides the posters of a live view, as long as this element is in the page.
 *
 * @param {string} id
 */
export function hidesPosters(id) {
  const poster = `[data-odyssey-poster="${id}"]`;
  const output = `.jp-OutputArea-child:has(> .jp-OutputArea-output ${poster})`;
  return element("style", {}, `${poster}, ${output} { display: none }`);
}

/** Whose picture it is. @typedef {{ stream: number | null, seq: number }} Shown */

/**
 * Hands out what a canvas shows: soon after a stream begins, then seldom, when it ends, and when it
 * is seen no more. What was handed out already is not again.
 */
export class Poster {
  #canvas;
  #send;
  /** @type {Shown} */
  #sent = { stream: null, seq: 0 };
  /** @type {number | null} */
  #stream = null;
  #due = 0;
  #busy = false;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(jpeg: ArrayBuffer, stream: number | null) => void} send
   */
  constructor(canvas, send) {
    this.#canvas = canvas;
    this.#send = send;
  }

  /**
   * Send one if it is time to; to be called several times a second while the canvas is seen.
   *
   * @param {Shown} shown
   * @param {boolean} streaming
   * @param {number} now
   */
  keep(shown, streaming, now) {
    const began = shown.seq > 0 && shown.stream !== this.#stream;
    if (began) {
      this.#stream = shown.stream;
      this.#due = now + POSTER_FIRST;
    }
    // What was under way as it ended is painted later, and only then is it the last.
    if (streaming && now < this.#due) return;
    this.#due = now + POSTER_EVERY;
    this.take(shown);
  }

  /** Send what is shown now. @param {Shown} shown */
  async take({ stream, seq }) {
    const again = stream === this.#sent.stream && seq === this.#sent.seq;
    if (seq === 0 || again || this.#busy) return;
    this.#busy = true;
    this.#sent = { stream, seq };
    try {
      const jpeg = await jpegOf(this.#canvas);
      if (jpeg) this.#send(jpeg, stream);
    } finally {
      this.#busy = false;
    }
  }
}

/** The canvas as a JPEG that is small enough. @param {HTMLCanvasElement} canvas */
async function jpegOf(canvas) {
  const small = document.createElement("canvas");
  const scale = Math.min(1, POSTER_LONGEST / Math.max(canvas.width, canvas.height));
  small.width = Math.round(canvas.width * scale);
  small.height = Math.round(canvas.height * scale);
  small.getContext("2d")?.drawImage(canvas, 0, 0, small.width, small.height);
  for (const quality of POSTER_QUALITIES) {
    /** @type {Blob | null} */
    const blob = await new Promise((done) => small.toBlob(done, "image/jpeg", quality));
    if (blob && blob.size <= POSTER_BYTES) return blob.arrayBuffer();
  }
  return null;
}
