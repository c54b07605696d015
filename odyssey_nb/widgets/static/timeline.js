// @ts-check
// The line under the picture: what happened when, over the last 150 s of the stream.

import { clock, element, say } from "./_shared.js";

/**
 * Something that happened to a stream.
 *
 * @typedef {object} Happening
 * @property {number} at  Unix time in seconds; no two have the same
 * @property {number} stream
 * @property {number} time  seconds since the stream's first picture
 * @property {"start" | "interact" | "mark" | "continued" | "reconnected"} kind
 * @property {string} text
 */

export const SPAN = 150; // seconds, which the kernel can still show too
const MOST_HEARD = 300;
const GAP = 11; // pixels from one mark to the next at least

/**
 * Only what happened since a stream was started afresh, in order; a stream that went on past a limit
 * is one with the stream before it.
 *
 * @param {Happening[]} happenings
 */
export function ofOneStream(happenings) {
  const all = happenings.toSorted((one, other) => one.at - other.at);
  const went = new Set(all.filter(({ kind }) => kind === "continued").map(({ stream }) => stream));
  const again = (/** @type {Happening} */ each) => each.kind === "start" && went.has(each.stream);
  const begin = all.findLastIndex((each) => each.kind === "start" && !again(each));
  return all.slice(Math.max(0, begin)).filter((each) => !again(each));
}

/**
 * What part of the time the line shows: the stream from its beginning, and of a longer one the end.
 *
 * @param {number} began  Unix time in seconds, as the others
 * @param {number} now
 * @returns {{ from: number, played: number }}  `played` is how full it is, from 0 to 1
 */
export function windowOf(began, now) {
  const from = Math.max(began, now - SPAN);
  return { from, played: Math.min(1, Math.max(0, (now - from) / SPAN)) };
}

/**
 * Places on a line, from 0 to 1 and in order, so far apart that each can be pointed at.
 *
 * @param {number[]} places
 * @param {number} gap  less where there are too many
 */
export function spread(places, gap) {
  const apart = Math.min(gap, 1 / Math.max(1, places.length - 1));
  /** @type {number[]} */
  const spaced = [];
  for (const place of places) {
    spaced.push(Math.max(place, (spaced[spaced.length - 1] ?? -1) + apart));
  }
  for (let at = spaced.length - 1, most = 1; at >= 0; at -= 1, most -= apart) {
    spaced[at] = Math.max(0, Math.min(spaced[at], most));
  }
  return spaced;
}

/** What a mark on the line says. @param {Happening} happening */
export function saying({ kind, time, text }) {
  const when = clock(Math.floor(time));
  if (kind === "mark") return `${when} mark${text && `: ${text}`}`;
  if (kind === "continued") return `${when} went on ${text}`;
  if (kind === "reconnected") return `${when} reconnected${text && `: ${text}`}`;
  return `${when} ${text}`;
}

/** Draws the line. Its marks are one stop of the tab key, and the arrow keys go between them. */
export class Timeline {
  /** Also of streams before: that one went on is told after its start. @type {Happening[]} */
  #heard = [];
  /** Of the stream that is shown, by its time. @type {Map<number, Happening>} */
  #known = new Map();
  /** @type {Map<number, HTMLElement>} */
  #shown = new Map();
  #began = 0;
  #root;
  #choose;
  #played = element("div", { class: "odyssey-played" });
  #marks = element("div", { class: "odyssey-marks" });
  #tip = element("div", { class: "odyssey-tip", "aria-hidden": "true", hidden: "" });

  /**
   * @param {HTMLElement} root
   * @param {(prompt: string) => void} choose  a prompt was clicked
   * @param {AbortSignal} signal
   */
  constructor(root, choose, signal) {
    this.#root = root;
    this.#choose = choose;
    root.append(element("div", { class: "odyssey-track" }, this.#played), this.#marks, this.#tip);
    root.addEventListener("keydown", (event) => this.#key(event), { signal });
    for (const type of ["pointerover", "focusin"]) {
      root.addEventListener(type, ({ target }) => this.#tell(target), { signal });
    }
    for (const type of ["pointerleave", "focusout"]) {
      root.addEventListener(type, () => this.#tell(document.activeElement), { signal });
    }
  }

  /** Take what is new, or came before. @param {Happening[]} happenings */
  take(happenings) {
    const heard = new Map([...this.#heard, ...happenings].map((each) => [each.at, each]));
    this.#heard = [...heard.values()].slice(-MOST_HEARD);
    const kept = ofOneStream(this.#heard);
    this.#known = new Map(kept.map((each) => [each.at, each]));
    this.#began = kept.length > 0 ? kept[0].at - kept[0].time : 0;
  }

  /** Bring it up to date; to be called several times a second. @param {number} now */
  draw(now) {
    const newest = Math.max(now, ...this.#known.keys());
    const { from, played } = windowOf(this.#began, newest);
    this.#root.hidden = this.#known.size === 0;
    const width = `${(played * 100).toFixed(2)}%`;
    if (this.#played.style.width !== width) this.#played.style.width = width;
    const visible = [...this.#known.values()].filter(({ at }) => at > from - 1);
    const wanted = new Set(visible.map(({ at }) => at));
    for (const [at, mark] of this.#shown) {
      if (wanted.has(at)) continue;
      mark.remove();
      this.#shown.delete(at);
    }
    const exact = visible.map(({ at }) => Math.max(0, (at - from) / SPAN));
    const places = spread(exact, GAP / Math.max(1, this.#root.clientWidth));
    for (const [index, happening] of visible.entries()) {
      let mark = this.#shown.get(happening.at);
      if (!mark) {
        mark = this.#make(happening);
        this.#shown.set(happening.at, mark);
        this.#marks.append(mark);
      }
      const place = `${(places[index] * 100).toFixed(2)}%`;
      if (mark.style.left !== place) mark.style.left = place;
    }
    const marks = [...this.#shown.values()];
    if (!marks.some((mark) => mark.tabIndex === 0)) marks.at(-1)?.setAttribute("tabindex", "0");
  }

  /** @param {Happening} happening */
  #make(happening) {
    const { kind, text } = happening;
    const prompt = kind === "start" || kind === "interact";
    const said = saying(happening);
    const attributes = { class: "odyssey-moment", "data-kind": kind, tabindex: "-1" };
    if (!prompt) return element("span", { ...attributes, role: "img", "aria-label": said });
    const label = `${said}; use this prompt again`;
    const mark = element("button", { ...attributes, type: "button", "aria-label": label });
    mark.dataset.said = said;
    mark.addEventListener("click", () => this.#choose(text));
    return mark;
  }

  /** Show what a mark says, or nothing. @param {EventTarget | null} target */
  #tell(target) {
    const marks = [...this.#shown.values()];
    const mark = marks.find((each) => each === target);
    this.#tip.hidden = mark === undefined;
    if (mark === undefined) return;
    say(this.#tip, mark.dataset.said ?? mark.getAttribute("aria-label") ?? "");
    // So it never sticks out at an end of the line.
    this.#tip.style.left = mark.style.left;
    this.#tip.style.transform = `translateX(-${mark.style.left})`;
    if (mark !== document.activeElement) return;
    for (const each of marks) each.tabIndex = each === mark ? 0 : -1;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const marks = [...this.#marks.children];
    const at = marks.findIndex((mark) => mark === document.activeElement);
    /** @type {Record<string, number>} */
    const places = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: marks.length - 1 };
    const next = marks[places[event.key]];
    if (at < 0 || !(event.key in places)) return;
    event.preventDefault();
    if (next) /** @type {HTMLElement} */ (next).focus();
  }
}
