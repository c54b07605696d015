// @ts-check
// The player's elements.

import { element } from "./_shared.js";

/** @typedef {ReturnType<typeof furnish>} Parts */

const ICONS = {
  mark: "M4 14.5v-12h8l-2 3.2 2 3.3H4",
  snapshot: "M2 5h2.8L6 3h4l1.2 2H14v8H2zM8 11.2a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8z",
  clip: "M2.7 8a5.3 5.3 0 1 0 1.7-3.9M2.6 2v2.8h2.8M8 5v3.2l2.2 1.3",
  record: "M8 12.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9z",
  stats: "M3 13.5V9M8 13.5v-11M13 13.5V6",
  float: "M14 7V3H2v10h4M9 9h5v4H9z",
  expand: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
};

/** Which key does what a button does, while the player has the focus, outside the prompt box. */
export const KEYS = {
  m: "mark",
  s: "snapshot",
  c: "clip",
  r: "record",
  i: "stats",
  p: "float",
  f: "expand",
};

const CLIPS = [5, 10, 30, 60, 150]; // seconds

/** A button with an icon. @param {keyof typeof ICONS} name @param {string} label */
function tool(name, label) {
  const key = Object.entries(KEYS).find(([, part]) => part === name)?.[0] ?? "";
  const button = element("button", {
    type: "button",
    class: `odyssey-tool odyssey-${name}`,
    "aria-label": label,
    "aria-keyshortcuts": key,
    title: `${label} (${key})`,
  });
  button.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${ICONS[name]}"/></svg>`;
  return button;
}

/** The tools on both sides of the timeline. */
function furnishBar() {
  const mark = tool("mark", "mark this moment");
  const snapshot = tool("snapshot", "snapshot, as a PNG");
  const clip = tool("clip", "save the last seconds as a clip");
  const seconds = element("select", { "aria-label": "seconds of a clip", title: "seconds of a clip" });
  for (const each of CLIPS) seconds.append(element("option", { value: String(each) }, `${each} s`));
  const record = tool("record", "record");
  const elapsed = element("span", { class: "odyssey-elapsed", "aria-hidden": "true" });
  record.append(elapsed);
  const timeline = element("div", {
    class: "odyssey-timeline",
    role: "group",
    "aria-label": "prompts and marks of the last 2:30",
    hidden: "",
  });
  const stats = tool("stats", "figures");
  stats.setAttribute("aria-pressed", "false");
  const float = tool("float", "picture in picture");
  const expand = tool("expand", "full screen");
  const keep = element("div", { class: "odyssey-tools" }, mark, snapshot, clip, seconds, record);
  const look = element("div", { class: "odyssey-tools odyssey-looks" }, stats, float, expand);
  const bar = element("div", { class: "odyssey-bar" }, keep, timeline, look);
  return { bar, mark, snapshot, clip, seconds, record, elapsed, timeline, stats, float, expand };
}

/** The figures over the picture. */
function furnishFigures() {
  /** @type {Record<string, HTMLElement>} */
  const rows = {};
  const figures = element("dl", { class: "odyssey-figures", "aria-label": "figures", hidden: "" });
  for (const [name, title] of /** @type {const} */ ([
    ["pictures", "painted, on average over two seconds"],
    ["latency", "from the sidecar to the screen, the median of five seconds"],
    ["bitrate", "of what came here, over five seconds"],
    ["loss", "of packets from the service, over ten seconds; of pictures on the way here, over five"],
    ["way", "which way pictures come, and what decodes them"],
  ])) {
    rows[name] = element("dd");
    figures.append(element("div", { title }, element("dt", {}, name), rows[name]));
  }
  return { figures, rows };
}

/** Make the player's elements; nothing here knows the model. */
export function furnish() {
  const canvas = element("canvas", { role: "img", width: "1280", height: "704" });
  const dot = element("span", { class: "odyssey-dot", "aria-hidden": "true" });
  const words = element("span");
  const pill = element("div", { class: "odyssey-pill", role: "status" }, dot, words);
  const meter = element("div", { class: "odyssey-meter" });
  const stage = element("p", { class: "odyssey-stage", role: "status" });
  const why = element("p", { class: "odyssey-why" });
  const veil = element("div", { class: "odyssey-veil" }, stage, why);
  const notice = element("div", { class: "odyssey-notice", role: "status", hidden: "" });
  const aboutToEnd = element("span", { "aria-hidden": "true" });
  const aloud = element("span", { class: "odyssey-aloud", "aria-live": "polite" });
  const goOn = element("button", { type: "button", class: "odyssey-go-on" }, "Continue");
  goOn.title = "go on with a new stream, from the last picture and prompt";
  const ending = element("div", { class: "odyssey-ending", hidden: "" }, aboutToEnd, goOn);
  const { figures, rows } = furnishFigures();
  // It takes the focus, so that keys reach the player.
  const focus = { class: "odyssey-screen", tabindex: "0" };
  const top = element("div", { class: "odyssey-top" }, pill, meter);
  const over = element("div", { class: "odyssey-over" }, top, figures);
  const screen = element("div", focus, canvas, veil, over, notice, ending, aloud);

  const sending = element("span", { class: "odyssey-sending" });
  const prompt = element("span", { class: "odyssey-prompt" });
  const source = element("span", { class: "odyssey-source" });
  const left = element("span", { class: "odyssey-left" });
  const under = element("div", { class: "odyssey-under" }, sending, prompt, source, left);
  const caption = element("p", { class: "odyssey-caption" });

  const input = element("input", {
    type: "text",
    placeholder: "describe what happens next",
    "aria-label": "prompt",
    "aria-keyshortcuts": "/",
    title: "prompt (/); ↑ and ↓ bring those before",
    autocomplete: "off",
  });
  const send = element("button", { type: "submit", class: "odyssey-send" });
  const end = element("button", { type: "button", "aria-label": "end the stream" }, "End");
  const disconnect = element("button", { type: "button" });
  const form = element("form", { class: "odyssey-controls" }, input, send, end, disconnect);

  const error = element("span", { class: "odyssey-error" });
  const hint = element("span", { class: "odyssey-hint" });
  const polite = { class: "odyssey-problem", "aria-live": "polite" };
  const problem = element("p", polite, error, " ", hint);
  const savedWords = element("span");
  const file = element("button", { type: "button", class: "odyssey-file", title: "download it" });
  const saved = element("p", { class: "odyssey-saved", role: "status", hidden: "" }, savedWords, " ", file);

  const bar = furnishBar();
  const root = element(
    "div",
    { class: "odyssey-player", role: "group", "data-lm-suppress-shortcuts": "true" },
    screen,
    bar.bar,
    under,
    caption,
    form,
    problem,
    saved,
  );
  return {
    root, screen, canvas, pill, words, meter, veil, stage, why, figures, rows, notice, ending, aboutToEnd, aloud, goOn,
    ...bar, under, sending, prompt, source, left, caption, form, input, send, end, disconnect, problem, error, hint,
    saved, savedWords, file,
  };
}
