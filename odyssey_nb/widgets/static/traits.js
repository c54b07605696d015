// @ts-check
// What is known of a connection: the kernel's traits, and what the sidecar says of them directly.

/** @import { AnyModel } from "@anywidget/types" */
import { listen } from "./_shared.js";
import { CLOCKS } from "./limits.js";
import { UNDERWAY } from "./words.js";

/**
 * @typedef {object} PlayerState  the synced traits of player.py
 * @property {string} status  where the connection stands
 * @property {boolean} streaming
 * @property {string} stage  what is going on until the first picture
 * @property {string} applied_prompt  the prompt the service says it follows
 * @property {string} error
 * @property {string} hint
 * @property {"landscape" | "portrait"} orientation
 * @property {number} stream_ends  Unix time in seconds; 0 when unknown
 * @property {number} connection_ends  Unix time in seconds; 0 when unknown
 * @property {number} idle_since  Unix time in seconds; 0 while there is a stream
 * @property {number} idle_ends  Unix time in seconds; 0 while there is a stream
 * @property {number} budget_ends  Unix time in seconds; 0 without one
 * @property {"" | "once" | "always"} extends  past how many limits the stream goes on
 * @property {boolean} at_limit  a limit has ended the last stream
 * @property {string} unseen_step  what is about to come of it that nobody sees it
 * @property {number} unseen_due  Unix time in seconds; 0 while nothing is
 * @property {number} recording_since  Unix time in seconds; 0 while nothing is recorded
 * @property {string} name  the connection's
 * @property {string} target  the service, in words
 * @property {boolean} spectating  it is watched only, and steered elsewhere
 * @property {boolean} resumes  the connection has ended, and another can go on from there
 * @property {boolean} was_left  it was left, and has not ended itself
 * @property {string} caption  a text of the user's own
 * @property {string} poster_id  what its posters in the page are called
 */

/** The traits that the sidecar tells too. */
const SAID = ["status", "streaming", "stage", "applied_prompt", "error", "hint"];
export const TOLD = [...SAID, "extends", "at_limit", ...CLOCKS];

const LIMITS = ["session_timeout", "duration_limit_reached"];
const HARMLESS = ["ended", "not_started", "connection_lost"];

/**
 * What the sidecar tells of a connection, in the words of the player's traits.
 *
 * @param {Record<string, any>} event
 * @returns {Record<string, any>}
 */
export function traitsOf(event) {
  const { type, status, state, message, hint, prompt, reason, continues } = event;
  if (type === "status_changed") {
    const busy = UNDERWAY.includes(status) || status === "reconnecting";
    const stage = busy ? message : "";
    const said = { status, stage };
    if (status === "failed") return { ...said, streaming: false, error: message, hint };
    return status === "disconnected" ? { ...said, streaming: false } : said;
  }
  if (type === "clocks") return Object.fromEntries(CLOCKS.map((name) => [name, event[name]]));
  const applied = prompt ? { applied_prompt: prompt } : {};
  const said = { ...applied, extends: event.extends };
  if (state === "starting") {
    return { ...said, at_limit: false, ...(continues ? {} : { stage: "starting the stream" }) };
  }
  if (state === "streaming") return { ...said, stage: "", streaming: true };
  if (state !== "none" || continues) return said;
  const ended = { ...said, stage: "", streaming: false, at_limit: LIMITS.includes(reason) };
  return HARMLESS.includes(reason) ? ended : { ...ended, error: message || reason, hint: "" };
}

/** The newest word about each trait, whether the kernel said it or the sidecar. */
export class Latest {
  /** @type {Map<string, any>} */
  #said = new Map();
  #model;
  #changed;

  /**
   * @param {AnyModel<any>} model
   * @param {string[]} names  the traits
   * @param {(name: string) => void} changed
   * @param {AbortSignal} signal
   */
  constructor(model, names, changed, signal) {
    this.#model = model;
    this.#changed = changed;
    for (const name of names) {
      this.#said.set(name, model.get(name));
      listen(model, `change:${name}`, () => this.say({ [name]: model.get(name) }), signal);
    }
  }

  /** @param {string} name */
  get(name) {
    return this.#said.has(name) ? this.#said.get(name) : this.#model.get(name);
  }

  /** @param {Record<string, any>} traits */
  say(traits) {
    for (const [name, value] of Object.entries(traits)) {
      if (this.#said.get(name) === value) continue;
      this.#said.set(name, value);
      this.#changed(name);
    }
  }
}
