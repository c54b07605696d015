// @ts-check
// What a participant sees beside the picture: what is applied, what waits, and a box to propose.

/** @import { Board, Done, Told, Waiting } from "./crowd.js" */

const ANSWER_WITHIN = 6000; // milliseconds
const TICK = 250;

const MODES = {
  queue: "one after another",
  vote: "by vote",
  round_robin: "in turns",
  moderated: "moderated",
};

const REFUSALS = {
  unknown: "This link lets nobody in. Ask for a new one.",
  revoked: "Your link was taken back.",
  full: "There is no room for more people.",
  elsewhere: "You are here in other tabs; this one is closed.",
};

/** @param {string} selector @returns {HTMLElement} */
function find(selector) {
  const found = document.querySelector(`.crowd ${selector}`);
  if (!(found instanceof HTMLElement)) throw new Error(`no ${selector}`);
  return found;
}

/** Set a text, touching the page (and a screen reader) only when it changes. @param {Element} place @param {string} text */
function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** @param {string} tag @param {string} [kind] @param {...(Node | string)} children */
function element(tag, kind = "", ...children) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.append(...children);
  return made;
}

/** Who stands behind something, in few words. @param {string[]} names */
export function behind(names) {
  if (names.length <= 3) return names.join(", ");
  return `${names.slice(0, 2).join(", ")} and ${names.length - 2} more`;
}

/** @param {number} count */
const votes = (count) => `${count} ${count === 1 ? "vote" : "votes"}`;

/**
 * How it stands with one's own proposals: "yours is next" and the like; empty where none waits.
 *
 * @param {Board} board
 * @param {string} me
 */
export function standing(board, me) {
  if (board.applying?.by.includes(me)) return "Yours is being applied";
  const place = board.waiting.findIndex(({ by }) => by.includes(me));
  if (place < 0) return "";
  if (board.mode === "vote") {
    return place === 0 ? "Yours leads" : "Yours is up for the vote";
  }
  return place === 0 ? "Yours is next" : `Yours is number ${place + 1}`;
}

/** The panel; it says what one does by `on`. */
export class Panel {
  #on;
  #me = "";
  #voted = "";
  /** @type {Board | null} */
  #board = null;
  #due = 0; // when the next is applied, by this page's clock
  #answered = () => {};
  #lost = "";
  #join = /** @type {HTMLFormElement} */ (find("form.join"));
  #form = /** @type {HTMLFormElement} */ (find("form.propose"));
  #box = /** @type {HTMLTextAreaElement} */ (find("form.propose textarea"));
  #send = /** @type {HTMLButtonElement} */ (find("form.propose button"));

  /** @param {{ propose: (prompt: string) => boolean, vote: (proposal: string) => boolean }} on */
  constructor(on) {
    this.#on = on;
    const root = document.querySelector(".crowd");
    if (root instanceof HTMLElement) root.hidden = false;
    document.body.dataset.crowd = "closed";
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#propose();
    });
    this.#box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#box.addEventListener("input", () => this.#count());
    setInterval(() => this.#tick(), TICK);
  }

  /** Ask what somebody wants to be called. @returns {Promise<string>} */
  askName() {
    document.body.dataset.crowd = "join";
    const input = /** @type {HTMLInputElement} */ (this.#join.elements.namedItem("name"));
    input.focus();
    return new Promise((resolve) =>
      this.#join.addEventListener("submit", (event) => {
        event.preventDefault();
        const name = input.value.trim();
        if (name === "") return input.focus();
        document.body.dataset.crowd = "entering";
        resolve(name);
      }),
    );
  }

  /** @param {string} me @param {string} name */
  enter(me, name) {
    this.#me = me;
    this.#lost = "";
    document.body.dataset.crowd = "open";
    say(find(".me b"), name);
    this.#tell("", "");
  }

  /** @param {Board} board */
  show(board) {
    this.#board = board;
    this.#due = performance.now() + (board.left ?? 0) * 1000;
    if (!board.waiting.some(({ id }) => id === this.#voted)) this.#voted = "";
    say(find(".mode"), `${MODES[board.mode]} · every ${board.every} s`);
    say(find(".people"), `${board.people} here`);
    const now = board.applying ?? board.applied[0];
    find(".now").dataset.applying = String(board.applying !== undefined);
    say(find(".now .prompt"), now ? now.prompt : "Nothing yet: be the first.");
    say(find(".now .by"), now ? credit(now, board.mode) : "");
    const own = standing(board, this.#me);
    say(find(".own"), own);
    const title = board.mode === "vote" ? "Up for the vote" : "Waiting";
    say(find(".waiting h3"), board.waiting.length === 0 ? "" : title);
    const waiting = board.waiting.map((each) => this.#row(each, board));
    // While people vote, nothing moves under their fingers, or loses the focus.
    const focused = document.activeElement?.closest("li")?.dataset.proposal;
    find(".waiting ol").replaceChildren(...(board.mode === "vote" ? waiting.sort(byAge) : waiting));
    waiting.find((each) => each.dataset.proposal === focused)?.querySelector("button")?.focus();
    say(find(".more"), board.more > 0 ? `and ${board.more} more` : "");
    const before = board.applied.slice(board.applying ? 0 : 1);
    say(find(".lately h3"), before.length === 0 ? "" : "Before");
    find(".lately ol").replaceChildren(
      ...before.map((each) => element("li", "", each.prompt, element("small", "", credit(each, board.mode)))),
    );
    this.#box.maxLength = board.longest;
    this.#count();
    this.#tick();
  }

  /** Something for oneself alone. @param {Told} told */
  hear({ kind, text, proposal }) {
    const taken = kind === "accepted" || kind === "merged";
    if (kind === "voted") {
      this.#voted = proposal;
      if (this.#board) this.show({ ...this.#board, left: this.#left() });
    } else if (taken || kind === "refused") {
      if (taken) this.#voted = proposal; // who stands behind something has voted for it
      if (taken && this.#send.disabled) this.#box.value = "";
      this.#answered();
    }
    const bad = kind === "refused" || kind === "rejected";
    if (text) this.#tell(bad ? "bad" : "good", text);
    this.#count();
  }

  /** @param {string} why  nothing can be done for now; empty when it can again */
  hold(why) {
    this.#lost = why;
    this.#tell(why ? "bad" : "", why);
  }

  /** @param {string} reason */
  refuse(reason) {
    this.close(REFUSALS[/** @type {keyof typeof REFUSALS} */ (reason)] ?? reason, "bad");
  }

  /** @param {string} words @param {string} [tone] */
  close(words, tone = "") {
    document.body.dataset.crowd = "closed";
    this.#lost = words;
    say(find(".now small"), "At last");
    this.#tell(tone, words);
  }

  #propose() {
    const prompt = this.#box.value.trim();
    if (prompt === "" || this.#send.disabled) return;
    if (this.#lost || !this.#on.propose(prompt)) {
      return this.#tell("bad", this.#lost || "The line is being repaired: try again.");
    }
    this.#send.disabled = true;
    const late = setTimeout(() => {
      this.#answered();
      this.#tell("bad", "No answer came: try again.");
    }, ANSWER_WITHIN);
    this.#answered = () => {
      clearTimeout(late);
      this.#send.disabled = false;
      this.#answered = () => {};
    };
  }

  /** @param {Waiting} waiting @param {Board} board */
  #row({ id, prompt, by, names, votes: count }, board) {
    const mine = by.includes(this.#me);
    const words = element("span", "words", prompt, element("small", "", behind(names)));
    const row = element("li", mine ? "mine" : "", words);
    row.dataset.proposal = id;
    if (board.mode !== "vote") return row;
    const most = Math.max(...board.waiting.map((each) => each.votes), 1);
    row.style.setProperty("--share", String(count / most));
    row.classList.toggle("leads", id === board.waiting[0].id);
    const chosen = id === this.#voted;
    const button = element("button", "vote", votes(count));
    button.setAttribute("type", "button");
    button.setAttribute("aria-pressed", String(chosen));
    button.setAttribute("aria-label", `vote for “${prompt}”, which has ${votes(count)}`);
    button.addEventListener("click", () => this.#on.vote(chosen ? "" : id));
    row.append(button);
    return row;
  }

  #left() {
    return Math.max(0, (this.#due - performance.now()) / 1000);
  }

  #tick() {
    const board = this.#board;
    if (!board) return;
    const left = Math.ceil(this.#left());
    const runs = board.waiting.length > 0 && !board.paused;
    const what = board.mode === "vote" ? "the vote ends" : "the next is applied";
    const soon = left > 0 ? `${what} in ${left} s` : `${what} now`;
    say(find(".left"), board.paused ? "paused" : runs ? soon : "");
    const share = runs ? Math.min(1, this.#left() / board.every) : 0;
    find(".bar-left").style.setProperty("--left", String(share));
  }

  #count() {
    const left = this.#box.maxLength - this.#box.value.length;
    say(find(".count"), this.#box.maxLength > 0 && left < 40 ? `${left}` : "");
  }

  /** @param {string} tone @param {string} text */
  #tell(tone, text) {
    const place = find(".told");
    place.dataset.tone = tone;
    say(place, text);
  }
}

/** @param {Done | Waiting} done @param {string} mode */
function credit({ names, votes: count }, mode) {
  return [names.length ? `by ${behind(names)}` : "", mode === "vote" ? votes(count) : ""]
    .filter(Boolean)
    .join(" · ");
}

/** @param {HTMLElement} one @param {HTMLElement} other */
function byAge(one, other) {
  return Number(one.dataset.proposal) - Number(other.dataset.proposal);
}
