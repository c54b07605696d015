// @ts-check
// The figures over the picture: what comes, how late, how much, and what is lost.

/** @import { Picture } from "./screen.js" */
/** @import { Answer } from "./_shared.js" */
import { say } from "./_shared.js";

/** What is known of the network from the service. @typedef {{ came: number, lost: number }} Packets */

const TRAFFIC_EVERY = 2000; // milliseconds, as all times here
const TRAFFIC_WITHIN = 3000;
const TRAFFIC_OVER = 10_000;

/**
 * The middle one of some numbers; null for none.
 *
 * @param {number[]} numbers
 */
export function median(numbers) {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted.length > 0 ? sorted[Math.floor(sorted.length / 2)] : null;
}

/** Measures the pictures of the last five seconds: how many bytes, how late, how many were left out. */
export class Gauge {
  static WINDOW = 5000;
  /** @type {{ at: number, bytes: number, skipped: number }[]} */
  #arrived = [];
  /** @type {{ at: number, late: number }[]} */
  #painted = [];
  /** When the sidecar had those that are not painted yet. @type {Map<number, number>} */
  #came = new Map();
  #newest = { stream: -1, seq: 0 };
  #since = 0;

  /**
   * A picture came.
   *
   * @param {Pick<Picture, "stream" | "seq" | "came">} picture
   * @param {number} bytes
   * @param {number} now
   */
  arrived({ stream, seq, came }, bytes, now) {
    const same = stream === this.#newest.stream;
    const newer = !same || seq > this.#newest.seq;
    const skipped = same && newer && this.#newest.seq > 0 ? seq - this.#newest.seq - 1 : 0;
    if (!same) this.#came.clear();
    if (newer) this.#newest = { stream, seq };
    if (this.#arrived.length === 0) this.#since = now;
    this.#arrived.push({ at: now, bytes, skipped });
    this.#came.set(seq, came);
  }

  /** A picture was painted, `clock` by the kernel's clock. @param {number} seq @param {number} clock @param {number} now */
  painted(seq, clock, now) {
    const came = this.#came.get(seq);
    for (const older of this.#came.keys()) if (older <= seq) this.#came.delete(older);
    if (came) this.#painted.push({ at: now, late: Math.max(0, clock - came) });
  }

  /**
   * Bits per second, milliseconds from the sidecar to the screen, and the share of pictures that
   * did not come; null where nothing is known.
   *
   * @param {number} now
   */
  figures(now) {
    const begin = now - Gauge.WINDOW;
    this.#arrived = this.#arrived.filter(({ at }) => at > begin);
    this.#painted = this.#painted.filter(({ at }) => at > begin);
    const sum = (/** @type {"bytes" | "skipped"} */ what) =>
      this.#arrived.reduce((total, each) => total + each[what], 0);
    const span = Math.max(Math.min(now - this.#since, Gauge.WINDOW), 500);
    const [count, skipped] = [this.#arrived.length, sum("skipped")];
    return {
      bitrate: count > 0 ? (sum("bytes") * 8000) / span : null,
      latency: median(this.#painted.map(({ late }) => late)),
      missing: count > 0 ? skipped / (count + skipped) : null,
    };
  }

  /** Nothing was looked at for a while. */
  clear() {
    this.#arrived = [];
    this.#painted = [];
    this.#came.clear();
    this.#newest = { stream: -1, seq: 0 };
  }
}

/** A share in per cent, as exact as it is worth. @param {number | null} share */
export function percent(share) {
  if (share === null) return "–";
  const text = (share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0);
  return `${share > 0 && text === "0.0" ? "< 0.1" : text} %`;
}

/** Bits per second, in words. @param {number | null} rate */
export function bitrate(rate) {
  if (rate === null) return "–";
  return rate < 1e6 ? `${Math.round(rate / 1000)} kbit/s` : `${(rate / 1e6).toFixed(1)} Mbit/s`;
}

/**
 * The share of packets that were lost between the first and the last time they were counted.
 *
 * @param {Packets[]} counts
 */
export function lossOf(counts) {
  if (counts.length < 2) return null;
  const [first, last] = [counts[0], counts[counts.length - 1]];
  const [came, lost] = [last.came - first.came, Math.max(0, last.lost - first.lost)];
  return came + lost > 0 ? lost / (came + lost) : null;
}

/** Shows the figures when asked to; only then, and seen, it asks how the network is. */
export class Overlay {
  open = false;
  trip = 0; // the quickest way to the kernel or the sidecar and back
  #rows;
  #root;
  #ask;
  /** @type {(Packets & { at: number })[]} */
  #counts = [];
  #next = 0;

  /**
   * @param {HTMLElement} root
   * @param {Record<string, HTMLElement>} rows
   * @param {(deadline: number) => Promise<Answer>} ask  for the packets
   */
  constructor(root, rows, ask) {
    this.#root = root;
    this.#rows = rows;
    this.#ask = ask;
  }

  toggle() {
    this.open = !this.open;
    this.#root.hidden = !this.open;
    this.#next = 0;
    this.#counts = [];
  }

  /**
   * Bring it up to date; to be called several times a second.
   *
   * @param {object} shown
   * @param {boolean} shown.streaming  there is something to measure, and it is seen
   * @param {number} shown.fps
   * @param {string} shown.size
   * @param {string} shown.way  which way pictures come, and what decodes them
   * @param {boolean} shown.able  whether every picture is wanted
   * @param {ReturnType<Gauge["figures"]>} figures
   * @param {number} now
   */
  show({ streaming, fps, size, way, able }, figures, now) {
    if (!this.open) return;
    if (streaming && now >= this.#next) this.#count(now);
    const late = figures.latency === null ? null : figures.latency + this.trip / 2;
    const none = "–";
    say(this.#rows.pictures, streaming ? `${fps} fps, ${size}` : none);
    say(this.#rows.latency, streaming && late !== null ? `${Math.round(late)} ms` : none);
    say(this.#rows.bitrate, streaming ? bitrate(figures.bitrate) : none);
    const loss = `${percent(lossOf(this.#counts))} packets`;
    const left = able ? `, ${percent(figures.missing)} pictures` : "";
    say(this.#rows.loss, streaming ? loss + left : none);
    say(this.#rows.way, streaming ? way : none);
  }

  /** @param {number} now */
  async #count(now) {
    this.#next = Infinity; // one at a time
    const answer = await this.#ask(TRAFFIC_WITHIN);
    const later = performance.now();
    this.#next = later + TRAFFIC_EVERY;
    if (!answer.ok) return;
    this.trip = Math.min(this.trip || Infinity, later - now);
    const [{ number: came, lost }, newest] = [answer, this.#counts[this.#counts.length - 1]];
    if (newest && came < newest.came) this.#counts = []; // it is another connection
    this.#counts = this.#counts.filter(({ at }) => at > later - TRAFFIC_OVER);
    this.#counts.push({ at: later, came, lost });
  }
}
