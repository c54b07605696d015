// @ts-check
// The two decoders of H.264 that a browser may have: WebCodecs, and a video element.

/** @import { Picture } from "./screen.js" */
import { TIMESCALE, fragment, initialization, joinBytes, mimeOf, parametersOf, unitsOf } from "./mp4.js";

/** @typedef {"WebCodecs" | "Media Source" | "JPEG"} Way  how pictures become pixels */

/**
 * A picture to draw, whichever way it was decoded.
 *
 * @typedef {object} Decoded
 * @property {number} seq
 * @property {VideoFrame | HTMLVideoElement | ImageBitmap} image
 * @property {number} width
 * @property {number} height
 * @property {() => void} close
 */

/**
 * Decodes pictures in order, beginning with a keyframe.
 *
 * @typedef {object} Decoder
 * @property {number} behind  pictures that wait in it
 * @property {(picture: Picture, data: DataView) => void} decode  throws if it is broken
 * @property {() => void} restart  another stream begins
 * @property {() => void} pause
 * @property {() => void} resume
 * @property {() => void} close
 */

/** @typedef {{ decoded: (picture: Decoded) => void, failed: () => void }} DecoderEvents */

// Constrained baseline, level 3.1. No `description`: the pictures are Annex B and bring their
// parameter sets with every keyframe.
const CODEC = "avc1.42e01f";
const DECODER_CONFIG = { codec: CODEC, optimizeForLatency: true };

/** The ways to show H.264 here, best first; JPEG is one everywhere. @returns {Way[]} */
export function waysHere() {
  /** @type {Way[]} */
  const ways = ["JPEG"];
  const { MediaSource: source } = globalThis;
  if (source?.isTypeSupported(`video/mp4; codecs="${CODEC}"`)) ways.unshift("Media Source");
  if ("VideoDecoder" in globalThis) ways.unshift("WebCodecs"); // only in secure contexts
  return ways;
}

/** WebCodecs: every picture is handed out as soon as it is decoded. @implements {Decoder} */
export class CodecDecoder {
  #decoder;

  /** Whether it knows H.264. */
  static async able() {
    return (await VideoDecoder.isConfigSupported(DECODER_CONFIG)).supported === true;
  }

  /** @param {DecoderEvents} on */
  constructor(on) {
    this.#decoder = new VideoDecoder({
      output(frame) {
        const { displayWidth: width, displayHeight: height } = frame;
        const seq = Math.round(frame.timestamp / 1000);
        on.decoded({ seq, image: frame, width, height, close: () => frame.close() });
      },
      error: on.failed,
    });
    this.#decoder.configure(DECODER_CONFIG);
  }

  get behind() {
    return this.#decoder.decodeQueueSize;
  }

  /** @param {Picture} picture @param {DataView} data */
  decode({ seq, key }, data) {
    const type = key ? "key" : "delta";
    const timestamp = seq * 1000; // comes out again with the decoded picture
    this.#decoder.decode(new EncodedVideoChunk({ type, timestamp, data }));
  }

  restart() {
    this.#decoder.reset();
    this.#decoder.configure(DECODER_CONFIG);
  }

  pause() {}

  resume() {}

  close() {
    if (this.#decoder.state !== "closed") this.#decoder.close();
  }
}

const PICTURE = TIMESCALE / 20; // the time that every picture has on the timeline
const BEHIND = 0.1; // seconds of the timeline that playing stays behind its end
const [SLOWEST, FASTEST] = [0.25, 8]; // browsers play from 1/16 to 16 times as fast
const TOO_FAR = 2; // seconds behind, from which it jumps to a keyframe
const KEPT = 10; // seconds of what was played
const STUCK = 100; // pictures that came and were not shown

/**
 * Media Source: a video element that is nowhere in the page plays a file of endless length. The
 * pictures stand on its timeline evenly and without gaps, whatever was left out, and it is played
 * as fast as they come: slower when it is about to run dry, faster when it has fallen behind.
 *
 * @implements {Decoder}
 */
export class PlayedDecoder {
  behind = 0; // it throws when it is stuck
  #on;
  #media = new MediaSource();
  #video = document.createElement("video");
  /** @type {SourceBuffer | null} */
  #buffer = null;
  /** @type {Uint8Array[]} */
  #waiting = []; // what was made while the buffer took what was before
  #mime = "";
  #header = "";
  #made = 0; // pictures on the timeline
  /** @type {Map<number, number>} */
  #seqs = new Map(); // of those that are not shown yet, by their place on the timeline
  /** @type {number[]} */
  #keys = []; // where keyframes stand, in seconds
  #paused = false;
  #closed = false;

  /** @param {DecoderEvents} on */
  constructor(on) {
    this.#on = on;
    const video = this.#video;
    video.muted = video.playsInline = true;
    video.addEventListener("error", () => this.#fail());
    this.#media.addEventListener("sourceopen", () => this.#append(), { once: true });
    video.src = URL.createObjectURL(this.#media);
    this.#watch();
  }

  /** @param {Picture} picture @param {DataView} data */
  decode({ seq, key }, data) {
    if (this.#seqs.size > STUCK) throw new RangeError("nothing is played");
    const units = unitsOf(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const parameters = key ? parametersOf(units) : null;
    if (parameters && `${parameters.sps} ${parameters.pps}` !== this.#header) {
      this.#header = `${parameters.sps} ${parameters.pps}`;
      this.#mime ||= mimeOf(parameters.sps);
      this.#waiting.push(initialization(parameters));
    }
    const time = this.#made * PICTURE;
    if (key) this.#keys.push(time / TIMESCALE);
    this.#seqs.set(this.#made, seq);
    this.#made += 1;
    this.#waiting.push(fragment(units, { number: this.#made, time, duration: PICTURE }));
    this.#append();
  }

  restart() {
    this.#seqs.clear(); // what is still played of the last stream is nobody's
  }

  pause() {
    this.#paused = true;
    this.#video.pause();
  }

  resume() {
    this.#paused = false;
    this.#pace();
  }

  close() {
    this.#closed = true;
    this.#video.pause();
    URL.revokeObjectURL(this.#video.src);
    this.#video.removeAttribute("src");
    this.#video.load(); // lets the buffer go
  }

  #fail() {
    if (!this.#closed) this.#on.failed();
  }

  #append() {
    if (this.#closed || this.#media.readyState !== "open" || this.#waiting.length === 0) return;
    try {
      this.#buffer ??= this.#open();
      if (this.#buffer.updating) return;
      this.#buffer.appendBuffer(joinBytes(...this.#waiting));
      this.#waiting = [];
    } catch {
      this.#fail();
    }
  }

  #open() {
    const buffer = this.#media.addSourceBuffer(this.#mime);
    buffer.addEventListener("updateend", () => {
      if (this.#closed || this.#media.readyState !== "open") return;
      this.#pace();
      this.#trim(buffer);
      this.#append();
    });
    return buffer;
  }

  /** Play as fast as pictures come. */
  #pace() {
    const video = this.#video;
    const { buffered } = video;
    if (this.#closed || this.#paused || buffered.length === 0) return;
    const behind = buffered.end(buffered.length - 1) - video.currentTime;
    const key = this.#keys[this.#keys.length - 1];
    if (behind > TOO_FAR && key > video.currentTime) video.currentTime = key;
    video.playbackRate = Math.min(FASTEST, Math.max(SLOWEST, behind / BEHIND));
    if (video.paused) {
      video.play().catch(({ name }) => {
        if (name !== "AbortError") this.#fail(); // that is when we paused it meanwhile
      });
    }
  }

  /** Let go what was played long ago, up to a keyframe: whatever builds on it would go too. */
  #trim(/** @type {SourceBuffer} */ buffer) {
    const now = this.#video.currentTime;
    const first = this.#keys[0];
    if (now - first < KEPT) return;
    const played = this.#keys.filter((key) => key <= now - KEPT / 2);
    const from = played[played.length - 1];
    if (from === undefined || from === first) return;
    this.#keys = this.#keys.filter((key) => key >= from);
    buffer.remove(0, from);
  }

  /** Hand out what is shown, picture by picture. */
  #watch() {
    const video = this.#video;
    if (this.#closed) return;
    // Where a browser does not tell which picture it shows, the clock does.
    if ("requestVideoFrameCallback" in video) {
      video.requestVideoFrameCallback((_, { mediaTime }) => this.#shown(mediaTime));
    } else requestAnimationFrame(() => this.#shown(this.#video.currentTime));
  }

  /** @param {number} time  on the timeline, in seconds */
  #shown(time) {
    const { videoWidth: width, videoHeight: height } = this.#video;
    const at = Math.floor((time * TIMESCALE) / PICTURE + 0.05);
    const seq = this.#seqs.get(at);
    for (const older of this.#seqs.keys()) if (older <= at) this.#seqs.delete(older);
    if (seq !== undefined && width > 0 && !this.#closed) {
      this.#on.decoded({ seq, image: this.#video, width, height, close() {} });
    }
    this.#watch();
  }
}
