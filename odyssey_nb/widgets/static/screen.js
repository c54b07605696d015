// @ts-check
// From encoded pictures to pixels: which may be decoded, and when each is painted.

/** @import { Decoded, Decoder } from "./decoders.js" */
import { CodecDecoder, PlayedDecoder, waysHere } from "./decoders.js";

/**
 * @typedef {object} Picture  the header of one encoded picture
 * @property {number} stream  counts the streams of this player
 * @property {number} seq  counts from 1 within its stream
 * @property {number} follows  the `seq` it builds on; 0 for a keyframe
 * @property {boolean} key
 * @property {number} time  seconds since the stream began
 * @property {number} came  when the sidecar had it, in milliseconds of the kernel's clock
 * @property {number} sent  when it was sent, by the same clock
 */

// A decoder this far behind (5 s at 20 pictures per second) is given nothing more; what follows is
// then a gap, and the next keyframe brings the present back.
const LONGEST_QUEUE = 100;

const MOST_FAILURES = 3; // in a row, before pictures come another way

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
 * When decoded pictures are painted: each as soon as it comes, since turning it into pixels within
 * the frame that shows it would hold that up, but one for a frame. Of two that come at once the
 * second is painted in the next frame, unless it is late by then: so a kernel that computes, which
 * hands pictures on in pairs, loses none of them here. What is returned is the caller's to close.
 */
export class Waiting {
  static MOST = 2;
  static LATE = 30; // milliseconds: less than two turns of a display
  /** @type {{ picture: Decoded, came: number }[]} */
  #pictures = [];
  #unseen = false; // whether what is painted waits for a frame; it is not painted over

  /** Whether no frame matters. */
  get done() {
    return !this.#unseen && this.#pictures.length === 0;
  }

  /**
   * Take a picture; which is to be painted now?
   *
   * @param {Decoded} picture
   * @param {number} now  milliseconds
   * @param {boolean} anyway  this one, even over what no frame has shown
   */
  put(picture, now, anyway = false) {
    if (anyway) this.clear();
    this.#pictures.push({ picture, came: now });
    if (this.#pictures.length > Waiting.MOST) this.#drop();
    if (this.#unseen && !anyway) return null;
    this.#unseen = true;
    return this.#take(now);
  }

  /** A frame begins; which is to be painted within it? @param {number} now  milliseconds */
  frame(now) {
    if (!this.#unseen) return this.#take(now);
    this.#unseen = false; // it shows what was painted before
    return null;
  }

  clear() {
    while (this.#pictures.length > 0) this.#drop();
  }

  /** @param {number} now */
  #take(now) {
    while (this.#pictures.length > 1 && now - this.#pictures[0].came > Waiting.LATE) this.#drop();
    return this.#pictures.shift()?.picture ?? null;
  }

  #drop() {
    this.#pictures.shift()?.picture.close();
  }
}

/**
 * Decodes every picture it gets and paints them at the display's own pace. Pictures it
 * already decoded are ignored, pictures after a gap wait for a keyframe, and a failed decoder is
 * replaced by a new one; one that fails again and again, by the next of the page's ways.
 */
export class Screen {
  seq = 0; // newest painted, in the current stream
  #ways = waysHere();
  #canvas;
  #context;
  #gate = new PictureGate();
  #ledger = new Ledger();
  #on;
  /** @type {Decoder | null} */
  #decoder = null;
  #waiting = new Waiting();
  #following = false;
  #paused = false;
  #failures = 0; // in a row, with nothing painted between

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {object} on
   * @param {() => void} on.paint  a picture was painted
   * @param {() => void} on.gap  only a keyframe helps
   * @param {(frame: VideoFrame) => void} on.decoded  a picture, to look at or to clone
   * @param {() => void} on.turn  pictures must come another way from now on; never told at once
   */
  constructor(canvas, on) {
    this.#canvas = canvas;
    this.#context = /** @type {CanvasRenderingContext2D} */ (
      canvas.getContext("2d", { alpha: false })
    );
    this.#on = on;
    if (this.way !== "WebCodecs") return;
    CodecDecoder.able().then((able) => {
      if (!able) this.#turn();
    });
  }

  /** How pictures become pixels here. */
  get way() {
    return this.#ways[0];
  }

  /** Whether this page decodes H.264. */
  get able() {
    return this.way !== "JPEG";
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
    const behind = (this.#decoder?.behind ?? 0) > LONGEST_QUEUE;
    const verdict = behind ? "gap" : this.#gate.admit(picture);
    if (verdict === "gap") this.#on.gap();
    if (verdict !== "decode") return;
    this.#ledger.arrived(picture.seq, received);
    try {
      this.#decoder ??= this.#openDecoder();
      this.#decoder.decode(picture, data);
    } catch {
      this.#fail();
    }
  }

  /**
   * Show a picture that others decoded, and be done when it could be painted.
   *
   * @param {Pick<Picture, "stream" | "seq">} picture
   * @param {DataView} data  a JPEG
   */
  async showImage({ stream, seq }, data) {
    const bytes = /** @type {DataView<ArrayBuffer>} */ (data);
    const image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    if (stream !== this.#gate.stream) this.#begin(stream);
    const { width, height } = image;
    this.#arrive({ seq, image, width, height, close: () => image.close() });
  }

  /**
   * Show what a video element shows now.
   *
   * @param {number} stream
   * @param {number} seq
   * @param {HTMLVideoElement} video
   */
  showVideo(stream, seq, video) {
    if (stream !== this.#gate.stream) this.#begin(stream);
    const { videoWidth: width, videoHeight: height } = video;
    this.#arrive({ seq, image: video, width, height, close() {} });
  }

  /** What to tell the kernel: newest painted picture, when it came, how many since last time. */
  acknowledge() {
    return this.#ledger.take();
  }

  /** Do no work until `resume`. The decoder is kept and goes on where it stopped. */
  pause() {
    this.#paused = true;
    this.#decoder?.pause();
    this.#waiting.clear();
  }

  resume() {
    this.#paused = false;
    this.#decoder?.resume();
  }

  /** Let the decoder and every undisplayed picture go; the canvas keeps its pixels. */
  close() {
    this.pause();
    this.#decoder?.close();
    this.#decoder = null;
  }

  /** @param {number} stream */
  #begin(stream) {
    this.#gate.begin(stream);
    this.#ledger.begin();
    this.seq = 0;
    this.#waiting.clear();
    this.#decoder?.restart();
  }

  /** @returns {Decoder} */
  #openDecoder() {
    const Kind = this.way === "WebCodecs" ? CodecDecoder : PlayedDecoder;
    /** @type {Decoder} */
    const decoder = new Kind({
      decoded: (picture) => {
        if (decoder === this.#decoder) this.#arrive(picture);
        else picture.close();
      },
      failed: () => {
        if (decoder === this.#decoder) this.#fail();
      },
    });
    return decoder;
  }

  /** Drop a decoder that broke, or that the browser took back from a page in the background. */
  #fail() {
    this.#drop();
    this.#failures += 1;
    if (this.#failures >= MOST_FAILURES) this.#turn();
    else if (!this.#paused) this.#on.gap();
  }

  /** Whatever decodes next begins with a keyframe. */
  #drop() {
    this.#decoder?.close();
    this.#decoder = null;
    this.#gate.restart();
  }

  /** Try the next way. */
  #turn() {
    this.#drop();
    this.#failures = 0;
    this.#ways.shift();
    this.#on.turn();
  }

  /** @param {Decoded} picture */
  #arrive(picture) {
    // A decoder that starts over at an older keyframe catches up unseen.
    if (this.#paused || picture.seq <= this.seq) {
      picture.close();
      return;
    }
    const { image } = picture;
    const played = image instanceof HTMLVideoElement; // it has this picture only now
    if ("VideoFrame" in globalThis && image instanceof VideoFrame) this.#on.decoded(image);
    const anyway = played || document.visibilityState === "hidden"; // which gets no frames
    const first = this.#waiting.put(picture, performance.now(), anyway);
    if (first) this.#paint(first);
    this.#followFrames();
  }

  /** Follow the page's frames as long as they matter. */
  #followFrames() {
    if (this.#following || this.#waiting.done) return;
    this.#following = true;
    requestAnimationFrame(() => {
      this.#following = false;
      const next = this.#waiting.frame(performance.now());
      if (next) this.#paint(next);
      this.#followFrames();
    });
  }

  /** @param {Decoded} picture */
  #paint(picture) {
    const { seq, image, width, height } = picture;
    const canvas = this.#canvas;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      canvas.dataset.width = String(width);
      canvas.dataset.height = String(height);
    }
    this.#context.drawImage(image, 0, 0);
    this.seq = seq;
    picture.close();
    this.#failures = 0;
    this.#ledger.painted(this.seq);
    canvas.dataset.seq = String(this.seq);
    this.#on.paint();
  }
}
