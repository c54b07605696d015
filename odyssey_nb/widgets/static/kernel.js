// @ts-check
// The kernel as a page sees it: what its clock says, and what became of it.

/** @import { AnyModel } from "@anywidget/types" */
import { listen } from "./_shared.js";

/**
 * What became of a kernel. "restarted": from this page; "died": the server started it again, or
 * another page had it restarted; "gone": no more is known; "unreachable": the page has lost the
 * Jupyter server for now; "lost": it no longer tries.
 *
 * @typedef {"live" | "restarted" | "died" | "shut down" | "gone" | "unreachable" | "lost"} Fate
 */

/** @typedef {{ connect(slot: Function): unknown, disconnect(slot: Function): unknown }} Signal */

/**
 * The part that is used of a front end's kernel connection (`@jupyterlab/services`).
 *
 * @typedef {object} KernelConnection
 * @property {Signal} [statusChanged]
 * @property {Signal} [connectionStatusChanged]
 * @property {Signal} [disposed]
 * @property {Signal} [anyMessage]
 */

/**
 * A kernel's fate after one more word about it. What ended it stays: its state is gone, and so are
 * the widgets that it had.
 *
 * @param {Fate} fate
 * @param {string} word  a status of `@jupyterlab/services`, of the kernel or of the connection to it
 * @returns {Fate}
 */
export function fateAfter(fate, word) {
  if (word === "autorestarting") return "died";
  if (!["live", "unreachable", "lost"].includes(fate)) return fate;
  if (word === "restarting") return "restarted";
  if (word === "starting") return "died";
  if (["terminating", "dead", "disposed"].includes(word)) return "shut down";
  if (word === "connecting") return "unreachable";
  if (word === "disconnected") return "lost";
  return word === "connected" ? "live" : fate;
}

/**
 * Follows the kernel of a model's widget manager, where the front end has one that can be followed;
 * elsewhere only the model's own `comm_live_update` is known.
 */
export class KernelWatch {
  /** @type {Fate} */
  fate = "live";
  #changed;

  /**
   * @param {AnyModel<any>} model
   * @param {object} on
   * @param {() => void} on.change  the fate is another one
   * @param {(content: Record<string, any>) => void} on.hear  a message of any widget, also one that
   *   comes when the front end has cut the comms of a kernel that it restarts
   * @param {AbortSignal} signal
   */
  constructor(model, on, signal) {
    this.#changed = on.change;
    const manager = /** @type {{ kernel?: KernelConnection }} */ (
      /** @type {unknown} */ (model.widget_manager)
    );
    const kernel = manager?.kernel;
    if (!kernel?.statusChanged) {
      listen(model, "comm_live_update", () => this.#become("gone"), signal);
      return;
    }
    const follow = (/** @type {any} */ _, /** @type {unknown} */ word) => {
      this.#become(fateAfter(this.fate, typeof word === "string" ? word : "disposed"));
    };
    const hear = (/** @type {any} */ _, /** @type {any} */ { msg, direction }) => {
      const data = direction === "recv" && msg.header?.msg_type === "comm_msg" && msg.content?.data;
      if (data?.method === "custom") on.hear(data.content);
    };
    for (const [source, slot] of /** @type {const} */ ([
      [kernel.statusChanged, follow],
      [kernel.connectionStatusChanged, follow],
      [kernel.disposed, follow],
      [kernel.anyMessage, hear],
    ])) {
      source?.connect(slot);
      signal.addEventListener("abort", () => source?.disconnect(slot), { once: true });
    }
  }

  /** A message of this widget came: its kernel lives after all. */
  heard() {
    if (this.fate === "gone") this.#become("live");
  }

  /** @param {Fate} fate */
  #become(fate) {
    if (fate === this.fate) return;
    this.fate = fate;
    this.#changed();
  }
}

/**
 * The kernel's clock seen from this page, which may run on another machine: the quickest message
 * so far tells by how much they differ, to within its own travel time.
 */
export class KernelClock {
  #ahead = Infinity; // this page's clock minus the kernel's, in milliseconds

  /** @param {number} sent  by the kernel's clock @param {number} received  by ours */
  hear(sent, received) {
    if (sent > 0) this.#ahead = Math.min(this.#ahead, received - sent);
  }

  /** Unix time in seconds by the kernel's clock. @param {number} now  epoch milliseconds by ours */
  seconds(now) {
    return (now - (this.#ahead === Infinity ? 0 : this.#ahead)) / 1000;
  }
}
