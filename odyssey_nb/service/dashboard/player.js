// @ts-check
// Plays one recording over the page, with what happened in it.

import { element, say } from "./parts.js";
import { clock } from "./words.js";

/**
 * @typedef {object} Files  signed URLs, good for a while
 * @property {string} stream_id
 * @property {string} [video_url]
 * @property {string} [events_url]
 * @property {string} [thumbnail_url]
 */

/** @typedef {{ time: number, type: string, prompt?: string, applied_prompt?: string, text?: string, reason?: string }} Happening */

/** @param {string} title @param {Files} files @param {...Node} more  what else can be done */
export function play(title, files, ...more) {
  const video = element("video", {
    controls: true,
    autoplay: true,
    playsinline: true,
    src: files.video_url ?? "",
    poster: files.thumbnail_url ?? "",
    error: () => say(problem, "The video cannot be played; its link may have expired."),
  });
  video.muted = true; // there is no sound, and only silent videos begin by themselves
  const problem = element("p", { class: "problem", role: "alert" });
  const events = element("ol", { class: "events", "aria-label": "what happened" });
  const download = element(
    "a",
    { class: "button", href: files.video_url ?? "", download: `${files.stream_id}.mp4` },
    "Download",
  );
  const dialog = element("dialog", { class: "player", "aria-label": title });
  const close = element(
    "button",
    { type: "button", class: "close", "aria-label": "close", click: () => dialog.close() },
    "✕",
  );
  dialog.append(
    element(
      "div",
      { class: "frame" },
      element("div", { class: "top" }, element("h3", {}, title), close),
      video,
      problem,
      events,
      element("div", { class: "choices" }, download, ...more),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it, on the backdrop
  });
  document.body.append(dialog);
  dialog.showModal();
  listEvents(files.events_url, events, video);
  return dialog;
}

/** @param {string | undefined} url @param {HTMLElement} list @param {HTMLVideoElement} video */
async function listEvents(url, list, video) {
  if (!url) return;
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch(() => null);
  if (!response?.ok) return;
  for (const line of (await response.text()).split("\n").filter(Boolean)) {
    /** @type {Happening} */
    const event = JSON.parse(line);
    const seek = () => {
      video.currentTime = event.time;
    };
    list.append(
      element(
        "li",
        { "data-type": event.type },
        element("button", { type: "button", click: seek }, clock(event.time)),
        element("span", {}, sentence(event)),
      ),
    );
  }
}

/** What happened, in words. @param {Happening} event */
export function sentence({ type, prompt, applied_prompt, text, reason }) {
  if (type === "start" || type === "interact") return applied_prompt || prompt || "";
  if (type === "mark") return `⚑ ${text}`;
  if (type === "end") return `ended (${(reason ?? "").replaceAll("_", " ")})`;
  return type;
}
