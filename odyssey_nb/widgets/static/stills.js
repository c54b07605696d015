// @ts-check
// Pictures that the kernel decodes, for pages that cannot: one at a time, each when asked for.

/** @import { Answer } from "./_shared.js" */
/** @import { Picture } from "./screen.js" */
import { NO_ANSWER } from "./_shared.js";

/** @typedef {Answer & Pick<Picture, "stream" | "seq" | "sent"> & { buffers: DataView[] }} Still */

/** Asks for the next picture as soon as the last is there, while somebody watches. */
export class Stills {
  #newest = { stream: 0, seq: 0 }; // the picture that came last
  #watching = false;
  #asking = false;
  /** @type {Answer | null} */
  refused = null; // why the kernel has no picture, until it has one
  #on;
  #signal;

  /**
   * @param {object} on
   * @param {(newest: { stream: number, seq: number }) => Promise<Answer>} on.ask  for one after it
   * @param {(picture: Still, data: DataView) => Promise<void>} on.show  done when it could be painted
   * @param {() => void} on.change  something is refused now, or is not any more
   * @param {AbortSignal} signal
   */
  constructor(on, signal) {
    this.#on = on;
    this.#signal = signal;
  }

  /** Begin or stop; to be called several times a second. @param {boolean} watching */
  async keep(watching) {
    this.#watching = watching;
    if (this.#asking) return;
    this.#asking = true;
    try {
      while (this.#watching && !this.#signal.aborted) {
        const still = /** @type {Still} */ (await this.#on.ask(this.#newest));
        if (still.error !== NO_ANSWER) this.#refuse(still.ok ? null : still);
        if (!still.ok) break; // the next call tries again
        this.#newest = { stream: still.stream, seq: still.seq };
        if (this.#watching) await this.#on.show(still, still.buffers[0]);
      }
    } catch {
      // What is no picture is not shown.
    } finally {
      this.#asking = false;
    }
  }

  /** @param {Answer | null} answer */
  #refuse(answer) {
    if (answer?.error === this.refused?.error) return;
    this.refused = answer;
    this.#on.change();
  }
}
