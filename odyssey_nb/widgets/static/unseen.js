// @ts-check
// A stream that nobody sees, told where it can be seen: in the page's corner and its tab's title.

import { element, keepKeys, say } from "./_shared.js";
import { titled, unseenOf } from "./words.js";

/** @import { Coming } from "./words.js" */

const KEPT_FOR = 3000; // milliseconds in which the kernel must have heard it
const OVERDUE = 10; // seconds; who says nothing so long after its own deadline is gone
const SAY_AGAIN = 10; // seconds before the end

/**
 * The notice of one view, in the page's corner while its stream has a deadline and is seen in none
 * of the page's views; other views of the stream then have none. Several streams' lie one above the
 * other, and the title tells the first deadline of all: what is told is read from the page, since
 * every widget has a module of its own.
 */
export class Unseen {
  #root;
  #on;
  #signal;
  /** @type {ReturnType<typeof furnishNotice> | null} */
  #parts = null;
  #keptUntil = 0;
  /** @type {HTMLElement | null} */
  #before = null; // what had the focus before the notice took it

  /**
   * @param {HTMLElement} root  the view
   * @param {object} on
   * @param {() => void} on.keep  the user wants the stream
   * @param {() => void} on.show  the view was brought back to where it is seen
   * @param {AbortSignal} signal
   */
  constructor(root, on, signal) {
    this.#root = root;
    this.#on = on;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#clear(), { once: true });
  }

  /**
   * Bring the page in line; to be called several times a second, and whenever something changed.
   *
   * @param {string} stream  what only this stream is called on this page
   * @param {boolean} seen  this view is
   * @param {Coming | null} coming
   */
  tell(stream, seen, coming) {
    this.#root.dataset.stream = stream;
    this.#root.dataset.seen = String(seen);
    const kept = performance.now() < this.#keptUntil;
    const over = coming === null || coming.left < -OVERDUE || this.#signal.aborted;
    if (over || kept || !this.#mine(stream)) {
      this.#clear();
      return;
    }
    const due = Date.now() + coming.left * 1000;
    if (this.#parts === null) this.#open(stream, coming);
    else if (!this.#parts.aloud.textContent || coming.left <= SAY_AGAIN) this.#announce(coming);
    const parts = /** @type {ReturnType<typeof furnishNotice>} */ (this.#parts);
    parts.notice.dataset.due = String(due);
    say(parts.words, unseenOf(coming));
    parts.show.hidden = !this.#root.checkVisibility() && tabOf(this.#root) === null;
    retitle();
  }

  /** Whether it is this view's to tell. @param {string} stream */
  #mine(stream) {
    const same = (/** @type {string} */ kind) =>
      /** @type {HTMLElement[]} */ ([...document.querySelectorAll(kind)]).filter(
        (each) => each.dataset.stream === stream,
      );
    if (same(".odyssey-player").some((view) => view.dataset.seen === "true")) return false;
    return same(".odyssey-unseen").every((notice) => notice === this.#parts?.notice);
  }

  /** @param {string} stream @param {Coming} coming */
  #open(stream, coming) {
    const parts = (this.#parts = furnishNotice(stream, coming.step));
    parts.show.addEventListener("click", () => this.#show());
    parts.keep.addEventListener("click", () => {
      this.#keptUntil = performance.now() + KEPT_FOR;
      this.#clear();
      this.#on.keep();
    });
    parts.notice.addEventListener("focusin", ({ relatedTarget }) => {
      const outside = relatedTarget instanceof HTMLElement && !parts.notice.contains(relatedTarget);
      if (outside) this.#before = relatedTarget;
    });
    keepKeys(parts.notice, this.#signal);
    corner().append(parts.notice);
  }

  /** Let screen readers say it: when there is something new in what was there before, and seldom. */
  #announce(/** @type {Coming} */ coming) {
    const { aloud } = /** @type {ReturnType<typeof furnishNotice>} */ (this.#parts);
    const late = String(coming.left <= SAY_AGAIN);
    if (aloud.dataset.late === late) return;
    aloud.dataset.late = late;
    say(aloud, unseenOf(coming));
  }

  #show() {
    this.#before = null;
    const tab = this.#root.checkVisibility() ? null : tabOf(this.#root);
    if (tab) press(tab);
    requestAnimationFrame(() => {
      this.#root.scrollIntoView({ block: "center" });
      this.#on.show();
    });
  }

  #clear() {
    const parts = this.#parts;
    if (parts === null) return;
    this.#parts = null;
    const focused = parts.notice.contains(document.activeElement);
    parts.notice.remove();
    if (focused) this.#before?.focus({ preventScroll: true });
    this.#before = null;
    if (corner().childElementCount === 0) corner().remove();
    retitle();
  }
}

/** @param {string} stream @param {Coming["step"]} step */
function furnishNotice(stream, step) {
  const what = step === "end" ? "the stream" : "the connection";
  // It changes every second, which nobody wants to be read out.
  const words = element("span", { class: "odyssey-words", "aria-hidden": "true" });
  const aloud = element("span", { class: "odyssey-aloud", role: "status" });
  const show = element("button", { type: "button", "aria-label": `Show ${what}` }, "Show");
  const keep = element("button", { type: "button", "aria-label": `Keep ${what}` }, "Keep");
  const notice = element(
    "div",
    { class: "odyssey-unseen", role: "group", "aria-label": "unseen stream" },
    words,
    aloud,
    show,
    keep,
  );
  notice.dataset.lmSuppressShortcuts = "true";
  notice.dataset.stream = stream;
  return { notice, words, aloud, show, keep };
}

/** Where notices lie; made when there is none. */
function corner() {
  const found = document.querySelector(".odyssey-corner");
  if (found) return found;
  const made = element("div", { class: "odyssey-corner" });
  document.body.append(made);
  return made;
}

/** Put the first deadline before the title of a tab that is behind others, and take it away again. */
function retitle() {
  const notices = /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll(".odyssey-unseen")
  );
  const due = Math.min(...Array.from(notices, (notice) => Number(notice.dataset.due)));
  const behind = document.visibilityState === "hidden" && notices.length > 0;
  const title = titled(document.title, behind ? (due - Date.now()) / 1000 : null);
  if (title !== document.title) document.title = title;
}

/**
 * JupyterLab's tab that brings `root`, which is behind another one's, to the front; null where it
 * has none, as in its simple interface.
 *
 * @param {HTMLElement} root
 */
function tabOf(root) {
  const id = CSS.escape(root.closest(".lm-DockPanel-widget")?.id ?? "");
  const tab = id && document.querySelector(`.lm-DockPanel-tabBar .lm-TabBar-tab[data-id="${id}"]`);
  return tab && tab.checkVisibility() ? tab : null;
}

/** Click where a mouse would: tabs hear nothing else. @param {Element} tab */
function press(tab) {
  const { left, top, height } = tab.getBoundingClientRect();
  const where = { clientX: left + height / 2, clientY: top + height / 2 };
  for (const type of ["pointerdown", "pointerup"]) {
    tab.dispatchEvent(new PointerEvent(type, { bubbles: true, button: 0, ...where }));
  }
}
