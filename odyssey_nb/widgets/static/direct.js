// @ts-check
// The direct view: pictures and commands by a socket of the sidecar's own, also while the kernel
// computes, is stopped or is dead.

/** @import { Answer } from "./_shared.js" */
/** @import { Picture } from "./screen.js" */
import { Commands, randomId } from "./_shared.js";
import { mayReach, wayIn } from "./ways.js";

const CREDIT = 40; // pictures that may be under way
const GRANT = 10; // taken pictures after which new credit is sent
const OPEN_WITHIN = 5000; // milliseconds, as all times here
const ADMITTED_WITHIN = 10_000;
const ASK_EVERY = 5000;
const FIRST_RETRY = 1000;
const MOST_TRIES = 4; // in a row
const BROKEN = "the line to the sidecar broke; try again";

/** @typedef {{ port: number, token: string, secret: string, first: number }} Pass */

/**
 * A picture's header and data out of its frame: the header's length, the header, the data.
 *
 * @param {ArrayBuffer} frame
 * @returns {{ picture: Picture, data: DataView }}
 */
export function unpack(frame) {
  const length = new DataView(frame).getUint32(0);
  const header = new TextDecoder().decode(new Uint8Array(frame, 4, length));
  return { picture: JSON.parse(header), data: new DataView(frame, 4 + length) };
}

/** What who knows `secret` says to `nonce`. @param {string} secret @param {string} nonce */
export async function prove(secret, nonce) {
  const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text);
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes(secret), hmac, false, ["sign"]);
  const proof = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes(nonce)));
  return Array.from(proof, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The line to the sidecar. It begins behind the kernel's relay, whose pictures go on until the
 * first comes this way, and again when the line breaks: both bring the same pictures, and whoever
 * decodes them knows which it had.
 */
export class Direct {
  able = mayReach();
  open = false; // commands may go this way
  flowing = false; // pictures come this way
  commands;
  #on;
  #signal;
  /** @type {WebSocket | null} */
  #socket = null;
  #trying = false;
  #tries = 0;
  #next = 0; // the earliest moment to try again
  #watching = false;
  #taken = 0;
  #count = 0;
  /** @type {Map<number, string>} */
  #ids = new Map();

  /**
   * @param {object} on
   * @param {() => string} on.name  what the connection is called
   * @param {() => Promise<Answer>} on.ask  ask the kernel for a pass
   * @param {(picture: Picture, data: DataView) => void} on.picture
   * @param {(event: Record<string, any>) => void} on.event
   * @param {() => void} on.change  it opened, broke, or has its first picture
   * @param {AbortSignal} signal
   */
  constructor(on, signal) {
    this.#on = on;
    this.#signal = signal;
    this.commands = new Commands((content) => this.#command(content), signal);
    signal.addEventListener("abort", () => this.#socket?.close(), { once: true });
  }

  /** Try again from the start: there is another connection. */
  renew() {
    this.#tries = this.#next = 0;
  }

  /**
   * Open it if it is time to, and let pictures come while somebody watches.
   *
   * @param {boolean} watching
   * @param {number} now
   */
  keep(watching, now) {
    if (watching !== this.#watching) {
      this.#watching = watching;
      this.#taken = 0;
      if (this.open) this.#subscribe();
    }
    const wanted = watching && this.able && this.#socket === null && !this.#trying;
    if (!wanted || this.#tries >= MOST_TRIES || now < this.#next) return;
    this.#next = now + ASK_EVERY;
    this.#trying = true;
    this.#begin().finally(() => (this.#trying = false));
  }

  /** Say something that is not answered. @param {string} type @param {Record<string, any>} more */
  tell(type, more = {}) {
    this.#send({ type, connection: this.#on.name(), ...more });
  }

  /** @param {Record<string, any>} message */
  #send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #subscribe() {
    if (this.#watching) this.tell("subscribe", { credit: CREDIT });
    else this.tell("unsubscribe");
  }

  /** @param {Record<string, any>} content */
  #command({ type, prompt, id }) {
    this.#count += 1;
    this.#ids.set(this.#count, id);
    const what = type === "mark" ? { text: "" } : prompt ? { prompt } : {};
    const timeout = ADMITTED_WITHIN / 1000;
    return this.#send({ type, id: this.#count, connection: this.#on.name(), timeout, ...what });
  }

  async #begin() {
    const way = await wayIn(this.#tries);
    if (way === null) {
      this.able = false;
      return;
    }
    const pass = /** @type {Answer & Pass} */ (await this.#on.ask());
    if (!pass.ok || this.#signal.aborted) return;
    this.#tries += 1;
    const nonce = randomId();
    const proof = await prove(pass.secret, nonce);
    const socket = new WebSocket(way(pass.port));
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    const giveUp = setTimeout(() => socket.close(), OPEN_WITHIN);
    socket.addEventListener("open", () => {
      socket.send(JSON.stringify({ type: "enter", token: pass.token, nonce }));
    });
    let believed = false;
    socket.addEventListener("message", ({ data }) => {
      if (believed) {
        this.#hear(data, pass.first);
        return;
      }
      // Another program may have the port by now; nothing that it says is believed.
      const said = typeof data === "string" ? JSON.parse(data) : {};
      if (said.type !== "welcome" || said.proof !== proof) {
        socket.close();
        return;
      }
      believed = true;
      clearTimeout(giveUp);
      this.#enter();
    });
    socket.addEventListener("close", () => {
      clearTimeout(giveUp);
      this.#leave();
    });
  }

  #enter() {
    this.open = true;
    this.renew();
    this.#taken = 0;
    if (this.#watching) this.#subscribe();
    this.#on.change();
  }

  #leave() {
    const was = this.open;
    this.#socket = null;
    this.open = this.flowing = false;
    this.#next = performance.now() + FIRST_RETRY * 4 ** this.#tries;
    const silence = { ok: false, error: BROKEN, hint: "", prompt: "" };
    for (const id of this.#ids.values()) this.commands.settle({ ...silence, id });
    this.#ids.clear();
    if (was && !this.#signal.aborted) this.#on.change();
  }

  /** @param {string | ArrayBuffer} data @param {number} first  what streams are counted from */
  #hear(data, first) {
    if (typeof data !== "string") {
      const { picture, data: encoded } = unpack(data);
      this.#taken += 1;
      if (this.#taken >= GRANT) {
        this.#taken = 0;
        this.tell("credit", { pictures: GRANT });
      }
      this.#on.picture({ ...picture, stream: first + picture.stream }, encoded);
      if (this.flowing) return;
      this.flowing = true;
      this.#on.change();
      return;
    }
    const message = JSON.parse(data);
    if (message.type !== "answer") {
      this.#on.event(message);
      return;
    }
    const id = this.#ids.get(message.id);
    this.#ids.delete(message.id);
    if (id === undefined) return;
    const { error, message: why, hint, text, time, number, lost } = message;
    this.commands.settle({ id, ok: !error, error: why, hint, prompt: text, time, number, lost });
  }
}
