// @ts-check
// From encoded pictures to pixels: which may be decoded, decoding them, painting the newest.

/**
 * @typedef {object} Picture  the header of one encoded picture
 * @property {number} stream  counts the streams of this player
 * @property {number} seq  counts from 1 within its stream
 * @property {number} follows  the `seq` it builds on; 0 for a keyframe
 * @property {boolean} key
 * @property {number} time  seconds since the stream began
 * @property {number} sent  when the kernel sent it, in milliseconds of the kernel's clock
 */

/** Said in place of the picture when the page has no `VideoDecoder`. */
export const NO_DECODER =
  "this page cannot decode video (not https or localhost); " +
  "open it as localhost or through https";

/** Said when there is a `VideoDecoder` that knows no H.264, or fails again and again. */
export const NO_H264 = "this browser does not decode H.264; try Chrome, Edge, Firefox or Safari";

// Constrained baseline, level 3.1. No `description`: the pictures are Annex B and bring their
// parameter sets with every keyframe.
const DECODER_CONFIG = { codec: "avc1.42e01f", optimizeForLatency: true };

// A decoder this far behind (5 s at 20 pictures per second) is given nothing more; what follows is
// then a gap, and the next keyframe brings the present back.
const LONGEST_QUEUE = 100;

/**
 * Decides which pictures a decoder may get: a keyframe, or the picture right after the newest one
 * that it got. Nothing else needs remembering. A decoder that was spared a gap can still go on
 * where it stopped when the missing pictures come after all.
 */
export class PictureGate {
  /** @type {number | null} */
  stream = null;
  handed = 0; // newest seq the decoder got; 0 means that only a keyframe will do

  /** Begin a stream, whose pictures count from 1 again. @param {number} stream */
  begin(stream) {
    this.stream = stream;
    this.handed = 0;
  }

  /** Forget what was handed over, because the decoder that got it is gone. */
  restart() {
    this.handed = 0;
  }

  /**
   * Judge a picture of the current stream, and count it as handed over when it may be decoded.
   *
   * @param {Pick<Picture, "seq" | "follows" | "key">} picture
   * @returns {"decode" | "repeat" | "gap"}
   */
  admit({ seq, follows, key }) {
    if (seq <= this.handed) return "repeat";
    if (!key && (this.handed === 0 || follows !== this.handed)) return "gap";
    this.handed = seq;
    return "decode";
  }
}

/** Remembers when pictures came until they are painted, and sums up for acknowledgements. */
export class Ledger {
  static LONGEST = 256;
  /** @type {Map<number, number>} */
  #received = new Map();
  #newest = { seq: 0, received: 0 };
  #painted = 0;

  /** @param {number} seq @param {number} received  epoch milliseconds */
  arrived(seq, received) {
    this.#received.set(seq, received);
    if (this.#received.size > Ledger.LONGEST) {
      for (const oldest of this.#received.keys()) {
        this.#received.delete(oldest);
        break;
      }
    }
  }

  /** @param {number} seq */
  painted(seq) {
    this.#painted += 1;
    this.#newest = { seq, received: this.#received.get(seq) ?? this.#newest.received };
    for (const older of this.#received.keys()) {
      if (older > seq) break;
      this.#received.delete(older);
    }
  }

  /** Begin a stream; what was painted before is no longer worth an acknowledgement. */
  begin() {
    this.#received.clear();
    this.#newest = { seq: 0, received: 0 };
    this.#painted = 0;
  }

  /** The newest painted picture, and how many were painted since the last call. */
  take() {
    const taken = { ...this.#newest, painted: this.#painted };
    this.#painted = 0;
    return taken;
  }

  /** Pictures that came and are not painted yet. */
  get waiting() {
    return this.#received.size;
  }
}

/** How many times per second something happened, over the last two seconds. */
export class Rate {
  static WINDOW = 2000;
  /** @type {number[]} */
  #times = [];

  /** @param {number} now  milliseconds */
  count(now) {
    this.#times.push(now);
    this.#forget(now);
  }

  /** @param {number} now  milliseconds */
  perSecond(now) {
    this.#forget(now);
    if (this.#times.length < 2) return 0;
    const span = Math.max(now - this.#times[0], 500); // the first pictures come in one burst
    return Math.round((this.#times.length * 1000) / span);
  }

  clear() {
    this.#times = [];
  }

  /** @param {number} now */
  #forget(now) {
    while (this.#times.length > 0 && now - this.#times[0] > Rate.WINDOW) this.#times.shift();
  }
}

/**
 * Decodes every picture it gets and paints the newest at the display's own pace. Pictures it
 * already decoded are ignored, pictures after a gap wait for a keyframe, and a failed decoder is
 * replaced by a new one.
 */
export class Screen {
  seq = 0; // newest painted, in the current stream
  able = "VideoDecoder" in globalThis; // this browser decodes H.264 on this page
  #canvas;
  #context;
  #gate = new PictureGate();
  #ledger = new Ledger();
  #on;
  /** @type {VideoDecoder | null} */
  #decoder = null;
  /** @type {VideoFrame | null} */
  #next = null;
  #askedToPaint = false;
  #paused = false;
  #failures = 0; // in a row, with nothing painted between

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {object} on
   * @param {() => void} on.paint  a picture was painted
   * @param {() => void} on.gap  only a keyframe helps
   * @param {(frame: VideoFrame) => void} on.decoded  a picture, to look at or to clone
   * @param {(why: string) => void} on.unable  no picture can show here; told later, never at once
   */
  constructor(canvas, on) {
    this.#canvas = canvas;
    this.#context = /** @type {CanvasRenderingContext2D} */ (
      canvas.getContext("2d", { alpha: false })
    );
    this.#on = on;
    if (!this.able) return;
    VideoDecoder.isConfigSupported(DECODER_CONFIG).then(({ supported }) => {
      if (supported) return;
      this.able = false;
      on.unable(NO_H264);
    });
  }

  /** The stream whose pictures come; null before the first. */
  get stream() {
    return this.#gate.stream;
  }

  /**
   * Decode a picture, unless it came before, follows a gap, or nobody would see it.
   *
   * @param {Picture} picture
   * @param {DataView} data  one H.264 access unit, Annex B
   * @param {number} received  epoch milliseconds
   */
  show(picture, data, received) {
    if (this.#paused || !this.able) return;
    if (picture.stream !== this.#gate.stream) this.#begin(picture.stream);
    const behind = (this.#decoder?.decodeQueueSize ?? 0) > LONGEST_QUEUE;
    const verdict = behind ? "gap" : this.#gate.admit(picture);
    if (verdict === "gap") this.#on.gap();
    if (verdict !== "decode") return;
    this.#ledger.arrived(picture.seq, received);
    const chunk = new EncodedVideoChunk({
      type: picture.key ? "key" : "delta",
      timestamp: picture.seq * 1000, // comes out again with the decoded picture
      data,
    });
    try {
      this.#decoder ??= this.#openDecoder();
      this.#decoder.decode(chunk);
    } catch {
      this.#fail();
    }
  }

  /** What to tell the kernel: newest painted picture, when it came, how many since last time. */
  acknowledge() {
    return this.#ledger.take();
  }

  /** Do no work until `resume`. The decoder is kept and goes on where it stopped. */
  pause() {
    this.#paused = true;
    this.#next?.close();
    this.#next = null;
  }

  resume() {
    this.#paused = false;
  }

  /** Let the decoder and every undisplayed picture go; the canvas keeps its pixels. */
  close() {
    this.pause();
    if (this.#decoder?.state !== "closed") this.#decoder?.close();
    this.#decoder = null;
  }

  /** @param {number} stream */
  #begin(stream) {
    this.#gate.begin(stream);
    this.#ledger.begin();
    this.seq = 0;
    this.#next?.close();
    this.#next = null;
    if (this.#decoder) {
      this.#decoder.reset();
      this.#decoder.configure(DECODER_CONFIG);
    }
  }

  #openDecoder() {
    const decoder = new VideoDecoder({
      output: (frame) => {
        if (decoder === this.#decoder) this.#arrive(frame);
        else frame.close();
      },
      error: () => {
        if (decoder === this.#decoder) this.#fail();
      },
    });
    decoder.configure(DECODER_CONFIG);
    return decoder;
  }

  /** Drop a decoder that broke, or that the browser took back from a page in the background. */
  #fail() {
    if (this.#decoder?.state !== "closed") this.#decoder?.close();
    this.#decoder = null;
    this.#gate.restart();
    this.#failures += 1;
    if (this.#failures >= 3) this.#on.unable(NO_H264);
    if (!this.#paused) this.#on.gap();
  }

  /** @param {VideoFrame} frame */
  #arrive(frame) {
    const seq = Math.round(frame.timestamp / 1000);
    // A decoder that starts over at an older keyframe catches up unseen.
    if (this.#paused || seq <= this.seq) {
      frame.close();
      return;
    }
    this.#on.decoded(frame);
    this.#next?.close();
    this.#next = frame;
    if (document.visibilityState === "hidden") this.#paint(); // nothing asks a hidden page to
    if (this.#askedToPaint || this.#next === null) return;
    this.#askedToPaint = true;
    requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    this.#askedToPaint = false;
    const frame = this.#next;
    if (frame === null) return;
    this.#next = null;
    const { displayWidth: width, displayHeight: height } = frame;
    const canvas = this.#canvas;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.dataset.width = String(width);
      canvas.dataset.height = String(height);
    }
    this.#context.drawImage(frame, 0, 0);
    this.seq = Math.round(frame.timestamp / 1000);
    frame.close();
    this.#failures = 0;
    this.#ledger.painted(this.seq);
    canvas.dataset.seq = String(this.seq);
    this.#on.paint();
  }
}
