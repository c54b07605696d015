// @ts-check
// Live sessions: what they do, how long already, what ends them next, and a button that does.

/** @import { Api } from "./api.js" */
import { confirmed, element, empty, keep, say, section } from "./parts.js";
import { CLOCKS, capital, clock, nextEnd } from "./words.js";

/**
 * @typedef {object} Session  one of `GET /sessions`; times in seconds
 * @property {string} session_id
 * @property {string} state
 * @property {number} seconds
 * @property {number} [stream_seconds]  while a stream runs
 * @property {string} [prompt]
 * @property {Record<string, number>} clocks
 */

const TICK = 500; // milliseconds

/** @param {Api} api @param {(work: () => Promise<void>) => Promise<void>} act */
export function liveSessions(api, act) {
  const list = element("div", { class: "sessions" });
  const nothing = empty(
    "Nothing is running. Start a stream in a notebook: ",
    element("code", {}, '%odyssey start "a misty forest at dawn"'),
  );
  const parts = section("Live sessions", nothing, list);
  /** @type {Session[]} */
  let sessions = [];
  let asked = 0; // when, in milliseconds of the page

  function show() {
    const since = (performance.now() - asked) / 1000;
    keep(list, sessions, (each) => each.session_id, make, (card, each) => update(card, each, since));
  }

  /** @param {Session} session */
  function make({ session_id }) {
    const end = async () => {
      const sure = await confirmed(
        "End this session?",
        "Its stream stops, and the streamer is free for somebody else. A recording stays.",
        "End session",
      );
      if (sure) await act(() => api.ask("DELETE", `/sessions/${session_id}`));
    };
    return element(
      "article",
      { class: "card session" },
      element("span", { class: "pill" }),
      element("p", { class: "prompt" }),
      element("dl", {}, ...figure("Connected", "connected"), ...figure("Streaming", "streaming")),
      element("p", { class: "next soft" }),
      element("meter", { max: "1", low: "0.15", optimum: "1", "aria-label": "time left" }),
      element("button", { type: "button", class: "danger", click: end }, "End"),
    );
  }

  async function refresh() {
    ({ sessions } = await api.ask("GET", "/sessions"));
    asked = performance.now();
    say(parts.count, sessions.length ? String(sessions.length) : "");
    nothing.hidden = sessions.length > 0;
    show();
  }

  setInterval(show, TICK);
  return { ...parts, refresh };
}

/** @param {string} label @param {string} name */
function figure(label, name) {
  return [
    element("div", {}, element("dt", {}, label), element("dd", { "data-figure": name }, "–")),
  ];
}

/** @param {HTMLElement} card @param {Session} session @param {number} since  seconds */
function update(card, session, since) {
  /** @param {string} selector */
  const part = (selector) => /** @type {HTMLElement} */ (card.querySelector(selector));
  const { stream_seconds: streamed, prompt } = session;
  const streaming = streamed !== undefined;
  const pill = part(".pill");
  pill.dataset.tone = streaming ? "live" : "idle";
  say(pill, streaming ? "streaming" : session.state);
  say(part(".prompt"), prompt ?? (session.state === "connected" ? "no stream" : "…"));
  part(".prompt").classList.toggle("soft", prompt === undefined);
  say(part("[data-figure=connected]"), clock(session.seconds + since));
  say(part("[data-figure=streaming]"), streaming ? clock(streamed + since) : "–");

  const next = nextEnd(session.clocks);
  const meter = /** @type {HTMLMeterElement} */ (part("meter"));
  meter.hidden = next === null;
  if (next === null) return;
  const [reason, told] = next;
  const left = told - since;
  const spent = reason === "session_timeout" ? (streamed ?? 0) : session.seconds;
  meter.value = Math.max(0, left / (told + spent));
  say(part(".next"), `${capital(CLOCKS[reason] ?? reason)} ends it in ${clock(left)}`);
}
