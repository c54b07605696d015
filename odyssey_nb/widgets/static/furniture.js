// @ts-check
// The player's elements.

import { element } from "./_shared.js";

const EXPAND_ICON = "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4";
const FLOAT_ICON = "M14 7V3H2v10h4M9 9h5v4H9z";

/** Make the player's elements; nothing here knows the model. */
export function furnish() {
  const canvas = element("canvas", { role: "img", width: "1280", height: "704" });
  const dot = element("span", { class: "odyssey-dot", "aria-hidden": "true" });
  const words = element("span");
  const pill = element("div", { class: "odyssey-pill", role: "status" }, dot, words);
  const meter = element("div", { class: "odyssey-meter" });
  const stage = element("p", { class: "odyssey-stage", role: "status" });
  const veil = element("div", { class: "odyssey-veil" }, stage);
  const expand = element("button", {
    class: "odyssey-expand",
    type: "button",
    "aria-label": "full screen",
    title: "full screen",
  });
  expand.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${EXPAND_ICON}"/></svg>`;
  const float = element("button", {
    class: "odyssey-expand odyssey-float",
    type: "button",
    "aria-label": "picture in picture",
    title: "picture in picture",
  });
  float.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${FLOAT_ICON}"/></svg>`;
  const notice = element("div", { class: "odyssey-notice", role: "status", hidden: "" });
  const aboutToEnd = element("span", { "aria-hidden": "true" });
  const aloud = element("span", { class: "odyssey-aloud", "aria-live": "polite" });
  const goOn = element("button", { type: "button", class: "odyssey-go-on" }, "Continue");
  goOn.title = "go on with a new stream, from the last picture and prompt";
  const ending = element("div", { class: "odyssey-ending", hidden: "" }, aboutToEnd, goOn);
  // It takes the focus, so that keys reach the player.
  const focus = { class: "odyssey-screen", tabindex: "0" };
  const screen = element("div", focus, canvas, veil, pill, meter, notice, ending, aloud, float, expand);

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
    autocomplete: "off",
  });
  const send = element("button", { type: "submit", class: "odyssey-send" });
  const mark = element(
    "button",
    { type: "button", "aria-label": "mark this moment", title: "mark this moment (m)" },
    "Mark",
  );
  const end = element("button", { type: "button", "aria-label": "end the stream" }, "End");
  const disconnect = element("button", { type: "button" });
  const form = element("form", { class: "odyssey-controls" }, input, send, mark, end, disconnect);

  const error = element("span", { class: "odyssey-error" });
  const hint = element("span", { class: "odyssey-hint" });
  const polite = { class: "odyssey-problem", "aria-live": "polite" };
  const problem = element("p", polite, error, " ", hint);

  const root = element(
    "div",
    { class: "odyssey-player", role: "group", "data-lm-suppress-shortcuts": "true" },
    screen,
    under,
    caption,
    form,
    problem,
  );
  return {
    root, screen, canvas, pill, words, meter, veil, stage, notice, ending, aboutToEnd, aloud, goOn, float, expand, under, sending,
    prompt, source, left, caption, form, input, send, mark, end, disconnect, problem, error, hint,
  };
}
