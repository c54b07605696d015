// @ts-check
// What the user says to the stream: prompts, with those before at the arrow keys, and the buttons.

/** @import { Answer } from "./_shared.js" */
/** @import { Parts } from "./furniture.js" */
import { clock } from "./_shared.js";
import { PromptHistory } from "./history.js";

/** @typedef {"start" | "continue" | "interact" | "mark" | "end" | "disconnect"} Verb */

/** Milliseconds that each gets. @type {Record<Verb, number>} */
const DEADLINES = {
  start: 80_000,
  continue: 80_000,
  interact: 10_000,
  mark: 8000,
  end: 10_000,
  disconnect: 10_000,
};

/** Sends what is asked for, and keeps what is under way and what was refused. */
export class Steering {
  applied = ""; // the prompt the service says it follows
  /** @type {Answer | null} */
  refused = null; // the last answer, when it was an error
  /** @type {{ verb: Verb, prompt: string }[]} */
  #pending = [];
  #history = new PromptHistory();
  /** What was typed here for a prompt that was applied. @type {Map<string, string>} */
  #typed = new Map();
  #parts;
  #on;
  #signal;

  /**
   * @param {Parts} parts
   * @param {object} on
   * @param {(verb: Verb, content: Record<string, unknown>, deadline: number) => Promise<Answer>} on.ask
   * @param {() => boolean} on.streaming
   * @param {() => void} on.change  something is under way, or is not any more
   * @param {(words: string) => void} on.notify
   * @param {AbortSignal} signal
   */
  constructor(parts, on, signal) {
    this.#parts = parts;
    this.#on = on;
    this.#signal = signal;
    const { input } = parts;
    parts.form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        const prompt = input.value.trim();
        if (prompt === "" || parts.send.disabled) return;
        input.value = "";
        this.#history.add(prompt);
        this.command(on.streaming() ? "interact" : "start", prompt);
      },
      { signal },
    );
    input.addEventListener("keydown", (event) => this.#key(event), { signal });
    for (const [part, verb] of /** @type {const} */ ([
      [parts.goOn, "continue"],
      [parts.mark, "mark"],
      [parts.end, "end"],
      [parts.disconnect, "disconnect"],
    ])) {
      part.addEventListener("click", () => this.command(verb), { signal });
    }
  }

  /** Whether such a command is under way. @param {Verb} verb */
  asking(verb) {
    return this.#pending.some((command) => command.verb === verb);
  }

  /** The newest prompt that is under way; empty for none. */
  get sending() {
    return this.#pending.findLast(({ prompt }) => prompt !== "")?.prompt ?? "";
  }

  /** Remember prompts of before. @param {string[]} prompts */
  remember(prompts) {
    this.#history.recall(prompts);
  }

  /** Let the user send a prompt again, or change it before. @param {string} applied */
  choose(applied) {
    const { input } = this.#parts;
    const prompt = this.#typed.get(applied) ?? applied;
    input.value = prompt;
    input.focus();
    input.setSelectionRange(prompt.length, prompt.length);
  }

  /** @param {Verb} verb @param {string} [prompt] */
  async command(verb, prompt = "") {
    const { input } = this.#parts;
    const asked = { verb, prompt };
    this.#pending = [...this.#pending, asked];
    this.refused = null;
    this.#on.change();
    const content = prompt ? { type: verb, prompt } : { type: verb };
    const answer = await this.#on.ask(verb, content, DEADLINES[verb]);
    this.#pending = this.#pending.filter((other) => other !== asked);
    if (this.#signal.aborted) return;
    if (answer.ok) {
      this.applied = answer.prompt || this.applied;
      if (answer.prompt) this.#typed.set(answer.prompt, prompt);
      if (verb === "mark") this.#on.notify(`marked at ${clock(answer.time)}`);
    } else {
      this.refused = answer.error ? answer : { ...answer, error: `${verb} was refused` };
      if (prompt && input.value === "") input.value = prompt;
    }
    this.#on.change();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { input, screen } = this.#parts;
    const plain = !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);
    if (!plain || event.isComposing) return;
    if (event.key === "Escape") screen.focus({ preventScroll: true });
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    const text = this.#history.go(event.key === "ArrowUp" ? -1 : 1, input.value);
    if (text === null) return;
    input.value = text;
    input.setSelectionRange(text.length, text.length);
  }
}
