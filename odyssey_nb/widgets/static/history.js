// @ts-check
// The prompts that were sent, for the arrow keys of the prompt box, as a shell has them.

/** Prompts from old to new, and the unfinished one after them; each can be edited on the way. */
export class PromptHistory {
  static MOST = 200;
  /** @type {string[]} */
  #sent = [];
  /** @type {string[]} */
  #texts = [""]; // as they were edited since the last was sent; the last is the unfinished one
  #at = 0;

  /** Remember a prompt that was sent; sent before, it is the newest now. @param {string} prompt */
  add(prompt) {
    this.#sent = [...this.#sent.filter((each) => each !== prompt), prompt].slice(-PromptHistory.MOST);
    this.#texts = [...this.#sent, ""];
    this.#at = this.#sent.length;
  }

  /** Remember what was sent before all that; it may be told late. @param {string[]} prompts */
  recall(prompts) {
    const once = prompts.filter((each, at) => prompts.lastIndexOf(each) === at);
    const older = once.filter((each) => !this.#sent.includes(each));
    older.splice(0, older.length + this.#sent.length - PromptHistory.MOST);
    this.#sent = [...older, ...this.#sent];
    this.#texts = [...older, ...this.#texts];
    this.#at += older.length;
  }

  /**
   * Go one back, or one forth, and return what stands there; null at either end.
   *
   * @param {-1 | 1} step
   * @param {string} text  what stands in the box, and is kept where we were
   */
  go(step, text) {
    const there = this.#at + step;
    if (there < 0 || there >= this.#texts.length) return null;
    this.#texts[this.#at] = text;
    this.#at = there;
    return this.#texts[there];
  }
}
