// @ts-check
// The browser's own way to a broadcast, which needs neither kernel nor sidecar.

/** @import { Answer } from "./_shared.js" */
/** @import { Address, Route } from "../../service/watch/broadcast.js" */
import { BroadcastPlayer } from "../../service/watch/broadcast.js";
import { isLoopback } from "./ways.js";

const LINGER = 3000; // milliseconds unseen until it is left, as all times here
const JOIN_AGAIN = 1000; // after the line broke; longer each time
const MOST_JOINS = 4; // in a row that show nothing; then pictures come through the kernel

/** Why pictures come through the kernel after all. */
const FAR = "the broadcast's service is on the kernel's machine";
const BARRED = "this page cannot reach the broadcast's service, or play what it sends";

/**
 * Plays a broadcast in a video element that is nowhere in the page, and hands out what it shows.
 * Nobody looks, and it is left. Where it cannot be played, `relayed` says why.
 */
export class Spectating {
  /** @type {Route | ""} */
  route = ""; // which way pictures come
  relayed = "";
  #on;
  #signal;
  #video = document.createElement("video");
  /** @type {BroadcastPlayer | null} */
  #player = null;
  #joins = 0;
  #next = 0; // the earliest moment to join again
  #stream = 0; // counts down: no picture of the kernel's has such a number
  #seq = 0;
  #seen = 0;

  /**
   * @param {object} on
   * @param {() => Promise<Answer>} on.ask  where the broadcast is
   * @param {() => Promise<Answer>} on.hls  the text of hls.js
   * @param {(stream: number, seq: number, video: HTMLVideoElement) => void} on.picture
   * @param {() => void} on.change  `route` or `relayed` is another
   * @param {AbortSignal} signal
   */
  constructor(on, signal) {
    this.#on = on;
    this.#signal = signal;
    this.#video.muted = this.#video.playsInline = this.#video.autoplay = true;
    signal.addEventListener("abort", () => this.#leave(), { once: true });
    this.#watch();
  }

  /**
   * Join if somebody watches, leave if nobody does; to be called several times a second.
   *
   * @param {boolean} watching
   * @param {number} now
   */
  keep(watching, now) {
    if (watching) this.#seen = now;
    if (this.#player !== null) {
      if (now - this.#seen > LINGER) this.#leave();
      return;
    }
    if (!watching || this.relayed || now < this.#next) return;
    this.#joins += 1;
    this.#next = now + JOIN_AGAIN * this.#joins;
    const load = () => this.#loadHls();
    const player = new BroadcastPlayer({ url: "", token: "", playlist: "" }, this.#video, load);
    this.#player = player;
    const done = () => {
      if (player === this.#player) this.#leave();
    };
    this.#join(player).then(done, done);
  }

  /** @param {BroadcastPlayer} player */
  async #join(player) {
    const at = /** @type {Answer & Address} */ (await this.#on.ask());
    if (!at.ok || player !== this.#player) return;
    if (isLoopback(new URL(at.url).hostname) && !isLoopback(location.hostname)) {
      this.#relay(FAR);
      return;
    }
    player.at = at;
    this.#stream -= 1;
    this.#seq = 0;
    const route = await player.play();
    if (player !== this.#player) return;
    if (route === "") {
      // The kernel's own spectator says so when the broadcast is over.
      if (player.standing === "live" || this.#joins >= MOST_JOINS) this.#relay(BARRED);
      return;
    }
    this.#joins = 0;
    this.route = route;
    this.#on.change();
    await player.over();
  }

  /** @param {string} why */
  #relay(why) {
    this.relayed = why;
    this.#on.change();
  }

  #leave() {
    this.#player?.close();
    this.#player = null;
    if (this.route === "") return;
    this.route = "";
    if (!this.#signal.aborted) this.#on.change();
  }

  async #loadHls() {
    const { ok, buffers } = await this.#on.hls();
    if (!ok) throw new Error("no hls.js");
    const url = URL.createObjectURL(new Blob(buffers, { type: "text/javascript" }));
    try {
      return (await import(url)).default;
    } finally {
      URL.revokeObjectURL(url);
    }
  }

  /** Hand out what is shown, picture by picture. */
  #watch() {
    const video = this.#video;
    if (this.#signal.aborted) return;
    const shown = () => {
      if (this.#player !== null && video.videoWidth > 0) {
        this.#seq += 1;
        this.#on.picture(this.#stream, this.#seq, video);
      }
      this.#watch();
    };
    // Where a browser does not tell each picture, the display's pace does.
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(shown);
    else requestAnimationFrame(shown);
  }
}
