// @ts-check
// A crowd as its owner sees it: what is applied, what waits, who is there, and the link for them.

/** @import { RenderProps } from "@anywidget/types" */
import { element, every, keepKeys, listen, say } from "./_shared.js";
import { asking } from "./film.js";
import { linkCard } from "./links.js";

/** @typedef {{ id: string, prompt: string, names: string[], votes?: number }} Proposed */

/**
 * @typedef {object} CrowdBoard
 * @property {string} mode
 * @property {number} every  seconds
 * @property {Proposed[]} waiting
 * @property {number} more
 * @property {Proposed | null} applying
 * @property {{ prompt: string, names: string[], votes: number }[]} applied  the newest first
 * @property {number | null} left  seconds until the next is applied
 * @property {boolean} paused
 * @property {number} people
 */

/**
 * @typedef {object} CrowdState  the synced traits of crowd.py
 * @property {CrowdBoard} board
 * @property {Proposed[]} inbox
 * @property {{ id: string, name: string, here: boolean }[]} people
 * @property {boolean} running
 * @property {string} problem
 */

const CROWD_DEADLINE = 8000; // milliseconds that the kernel gets for each answer
const CROWD_TICK = 250;
const CROWD_MODES = /** @type {Record<string, string>} */ ({
  queue: "one after another",
  vote: "by vote",
  round_robin: "in turns",
  moderated: "moderated",
});

/** @param {string[]} names @param {string} mode @param {number} [votes] */
function credited(names, mode, votes = 0) {
  const by = names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
  const count = mode === "vote" ? `${votes} ${votes === 1 ? "vote" : "votes"}` : "";
  return [by && `by ${by}`, count].filter(Boolean).join(" · ");
}

/** @param {RenderProps<CrowdState>} props */
function render({ model, el }) {
  const closing = new AbortController();
  const { signal } = closing;
  const ask = asking(model, CROWD_DEADLINE, signal);

  const mode = element("span", { class: "odyssey-mode" });
  const here = element("span", { class: "odyssey-here" });
  const pause = button("Pause", "", () => ask({ type: model.get("board").paused ? "resume" : "pause" }));
  const invite = button("Link", "", showLink);
  const close = button("Close", "", askClose);
  invite.setAttribute("aria-expanded", "false");
  const choices = element("div", { class: "odyssey-choices" }, pause, invite, close);
  const head = element("div", { class: "odyssey-head" }, element("h4", {}, "Steering together"), mode, here, choices);
  const link = element("div", { class: "odyssey-door" });
  const prompt = element("div", { class: "odyssey-applied", "aria-live": "polite" });
  const by = element("small");
  const left = element("span", { class: "odyssey-left" });
  const bar = element("i", { class: "odyssey-bar", "aria-hidden": "true" });
  const now = element("div", { class: "odyssey-now" }, element("small", {}, "Now"), prompt, by);
  const problem = element("p", { class: "odyssey-problem", role: "alert" });
  const inbox = element("ol", { "aria-label": "what waits for you" });
  const waiting = element("ol", { "aria-label": "what waits" });
  const people = element("ul", { "aria-label": "participants" });
  const before = element("ol", { class: "odyssey-before", "aria-label": "what was applied before" });
  const beforeTitle = element("h5");
  const inboxTitle = element("h5");
  const waitingTitle = element("h5");
  const peopleTitle = element("h5");
  const soon = element("div", { class: "odyssey-soon" }, waitingTitle, left, bar);
  const columns = element(
    "div",
    { class: "odyssey-columns" },
    element("div", {}, inboxTitle, inbox, soon, waiting),
    element("div", {}, peopleTitle, people, beforeTitle, before),
  );
  const label = { class: "odyssey-crowd", role: "group", "aria-label": "steering together" };
  const root = element("div", { ...label, "data-lm-suppress-shortcuts": "true" });
  root.append(head, link, now, problem, columns);
  let due = 0;

  /** @param {string} words @param {string} kind @param {() => unknown} action @param {string} [aria] */
  function button(words, kind, action, aria = "") {
    const made = element("button", { type: "button", class: kind }, words);
    if (aria) made.setAttribute("aria-label", aria);
    made.addEventListener("click", async () => {
      say(problem, "");
      try {
        await action();
      } catch (error) {
        if (!signal.aborted) say(problem, /** @type {Error} */ (error).message);
      }
    });
    return made;
  }

  async function showLink() {
    if (link.hasChildNodes()) {
      link.replaceChildren();
    } else {
      const answer = await ask({ type: "link" });
      link.replaceChildren(
        element("div", {}, "Whoever opens this takes part:"),
        linkCard(answer.link, answer.qr, "link for all"),
        element("small", {}, answer.note),
      );
    }
    invite.setAttribute("aria-expanded", String(link.hasChildNodes()));
  }

  async function askClose() {
    if (close.dataset.sure) return ask({ type: "close" });
    close.dataset.sure = "yes";
    return say(close, "Close for all?");
  }
  close.addEventListener("blur", () => {
    delete close.dataset.sure;
    say(close, "Close");
  });

  /** @param {Proposed} each @param {HTMLElement[]} actions */
  function row({ prompt, names, votes }, actions) {
    const { mode } = model.get("board");
    const words = element("span", {}, prompt, element("small", {}, credited(names, mode, votes)));
    return element("li", {}, words, ...actions);
  }

  /** @param {string} verb @param {string} which @param {string} words @param {string} aria */
  function decide(verb, which, words, aria) {
    return button(words, `odyssey-${verb}`, () => ask({ type: verb, which }), aria);
  }

  function update() {
    const board = model.get("board");
    const running = model.get("running");
    root.dataset.running = String(running);
    due = performance.now() + (board.left ?? 0) * 1000;
    const mine = model.get("people");
    say(mode, `${CROWD_MODES[board.mode] ?? board.mode} · every ${board.every} s`);
    say(here, running ? `${board.people} here` : "closed");
    say(pause, board.paused ? "Resume" : "Pause");
    for (const each of [pause, invite, close]) each.disabled = !running;
    if (!running) link.replaceChildren();
    const newest = board.applying ?? board.applied[0];
    now.dataset.applying = String(board.applying !== null);
    say(prompt, newest ? newest.prompt : running ? "nothing yet" : "nothing was applied");
    say(by, newest ? credited(newest.names, board.mode, newest.votes) : "");
    const earlier = board.applied.slice(board.applying ? 0 : 1);
    say(beforeTitle, earlier.length ? "Before" : "");
    before.replaceChildren(
      ...earlier.map(({ prompt, names, votes }) =>
        element("li", {}, prompt, element("small", {}, credited(names, board.mode, votes))),
      ),
    );
    if (model.get("problem")) say(problem, model.get("problem"));

    say(inboxTitle, model.get("inbox").length ? "Waiting for you" : "");
    inbox.replaceChildren(
      ...model.get("inbox").map((each) =>
        row(each, [
          decide("approve", each.id, "Approve", `approve “${each.prompt}”`),
          decide("reject", each.id, "Reject", `reject “${each.prompt}”`),
        ]),
      ),
    );
    const title = board.mode === "vote" ? "Up for the vote" : "Waiting";
    say(waitingTitle, board.waiting.length ? title : "Nothing waits");
    const most = Math.max(1, ...board.waiting.map(({ votes }) => votes ?? 0));
    waiting.replaceChildren(
      ...board.waiting.map((each) => {
        const made = row(each, [decide("reject", each.id, "×", `take out “${each.prompt}”`)]);
        if (board.mode === "vote") made.style.setProperty("--share", String((each.votes ?? 0) / most));
        return made;
      }),
    );
    if (board.more > 0) waiting.append(element("li", {}, element("small", {}, `and ${board.more} more`)));
    say(peopleTitle, mine.length ? `Participants (${mine.length})` : "Nobody has come yet");
    people.replaceChildren(
      ...mine.map(({ id, name, here }) => {
        const away = decide("revoke", id, "×", `let ${name} take part no more`);
        return element("li", { "data-here": String(here) }, element("span", {}, name), away);
      }),
    );
    tick();
  }

  function tick() {
    const board = model.get("board");
    const seconds = Math.max(0, (due - performance.now()) / 1000);
    const runs = model.get("running") && board.waiting.length > 0 && !board.paused;
    const what = board.mode === "vote" ? "ends" : "next";
    say(left, board.paused ? "paused" : runs ? `${what} in ${Math.ceil(seconds)} s` : "");
    bar.style.setProperty("--left", String(runs ? Math.min(1, seconds / board.every) : 0));
  }

  keepKeys(root, signal);
  for (const name of ["board", "inbox", "people", "running", "problem"]) {
    listen(model, `change:${name}`, update, signal);
  }
  every(CROWD_TICK, tick, signal);
  update();
  el.append(root);
  return () => {
    closing.abort();
    root.remove();
  };
}

export default { render };
