// @ts-check
// What every widget needs: elements, listeners that end with their view, questions to the kernel.

/** @import { AnyModel } from "@anywidget/types" */

/**
 * @typedef {{ ok: boolean, error: string, hint: string, prompt: string, [more: string]: any }} Answer
 *   what the kernel said to one command; `prompt` is the prompt that the service applied
 */

/** Said when a command's deadline passes, or when there is no kernel to send it to. */
export const NO_ANSWER = "no answer from the kernel; is it running?";

/**
 * Make an element with its attributes and children.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * Set an element's text, touching the page (and a screen reader) only when it changes.
 *
 * @param {Element} place
 * @param {string} text
 */
export function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/**
 * Seconds as people write time that is left, `2:14`; never negative.
 *
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const minutes = Math.floor(whole / 60);
  const pad = (/** @type {number} */ number) => String(number).padStart(2, "0");
  if (minutes < 60) return `${minutes}:${pad(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(whole % 60)}`;
}

/**
 * Hear a model's event until `signal` aborts.
 *
 * @template {(...args: any[]) => void} Handler
 * @param {Pick<AnyModel<any>, "on" | "off">} model
 * @param {string} name
 * @param {Handler} handler
 * @param {AbortSignal} signal
 */
export function listen(model, name, handler, signal) {
  model.on(name, handler);
  signal.addEventListener("abort", () => model.off(name, handler), { once: true });
}

/**
 * Keep keys that are pressed in `root` from the notebook, where single ones are commands: "dd"
 * deletes the cell.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} signal
 */
export function keepKeys(root, signal) {
  for (const type of ["keydown", "keypress", "keyup"]) {
    root.addEventListener(type, (event) => event.stopPropagation(), { signal });
  }
}

/**
 * Call `task` every `period` milliseconds until `signal` aborts.
 *
 * @param {number} period
 * @param {() => void} task
 * @param {AbortSignal} signal
 */
export function every(period, task, signal) {
  const timer = setInterval(task, period);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}

/** Lets something happen at most once per `period`, and not before `hold` is over. */
export class Throttle {
  #period;
  #earliest = 0;

  /** @param {number} period  milliseconds */
  constructor(period) {
    this.#period = period;
  }

  /** @param {number} until  milliseconds, on the clock that `allows` is asked with */
  hold(until) {
    this.#earliest = Math.max(this.#earliest, until);
  }

  /** @param {number} now  milliseconds */
  allows(now) {
    if (now < this.#earliest) return false;
    this.#earliest = now + this.#period;
    return true;
  }
}

/**
 * A word that tells one view, or one command, from all others. `crypto.randomUUID` would do the
 * same but is missing on pages that are no secure context.
 */
export function randomId() {
  const words = crypto.getRandomValues(new Uint32Array(3));
  return Array.from(words, (word) => word.toString(36)).join("");
}

/**
 * Questions to the kernel. Each gets exactly one answer: the kernel's own, or `NO_ANSWER` at its
 * deadline, at once when it cannot be sent, and when `signal` aborts.
 */
export class Commands {
  /** @type {Map<string, (answer: Answer) => void>} */
  #waiting = new Map();
  #send;
  #signal;

  /**
   * @param {(content: Record<string, unknown>) => boolean} send  false when nobody can hear it
   * @param {AbortSignal} signal
   */
  constructor(send, signal) {
    this.#send = send;
    this.#signal = signal;
  }

  /**
   * Send a command and wait for its answer.
   *
   * @param {Record<string, unknown>} content
   * @param {number} deadline  milliseconds
   * @returns {Promise<Answer>}
   */
  ask(content, deadline) {
    const id = randomId();
    /** @type {Promise<Answer>} */
    const answered = new Promise((resolve) => {
      const silence = { ok: false, error: NO_ANSWER, hint: "", prompt: "" };
      const giveUp = () => this.#waiting.get(id)?.(silence);
      const timer = setTimeout(giveUp, deadline);
      this.#waiting.set(id, (answer) => {
        this.#waiting.delete(id);
        clearTimeout(timer);
        this.#signal.removeEventListener("abort", giveUp);
        resolve(answer);
      });
      this.#signal.addEventListener("abort", giveUp, { once: true });
      if (!this.#send({ ...content, id })) giveUp();
    });
    return answered;
  }

  /**
   * Hand over an answer from the kernel. An answer to another view's command, or one past its
   * deadline, is nobody's.
   *
   * @param {Answer & { id: string }} message
   */
  settle({ id, ok, error, hint, prompt, ...more }) {
    const words = { error: error ?? "", hint: hint ?? "", prompt: prompt ?? "" };
    this.#waiting.get(id)?.({ ok, ...words, ...more });
  }
}

/** Let the browser save something under a name. @param {Blob} blob @param {string} name */
export function download(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link); // Firefox clicks nothing that is not in the page
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // it is read at leisure
}
