// @ts-check
// Shows a broadcast to somebody without a notebook.

/** @import { Standing } from "./broadcast.js" */
import { BroadcastPlayer } from "./broadcast.js";

/** @typedef {Standing | "connecting"} State */

const WAYS = { WebRTC: "WebRTC", HLS: "HLS, a few seconds behind" };

/** What each state is called, and says. @type {Record<State, [string, string, string]>} */
const WORDS = {
  connecting: ["Connecting", "Connecting…", "The first picture is on its way."],
  live: ["Live", "", ""],
  ended: ["Ended", "The stream has ended", "Thank you for watching."],
  missing: ["Not found", "There is no such stream", "It has ended, or the link is incomplete."],
  refused: ["No access", "This link is not valid", "Ask whoever sent it for a new one."],
  failed: ["No picture", "The stream cannot be shown", "The connection or this browser does not allow it."],
};

/** @template {Element} E @param {string} selector @param {new () => E} kind @returns {E} */
function find(selector, kind) {
  const found = document.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`no ${selector}`);
  return found;
}

const main = find("main", HTMLElement);
const video = find("video", HTMLVideoElement);
const again = find(".again", HTMLButtonElement);

const query = new URLSearchParams(location.search);
const token = query.get("token") ?? "";
const stream = `/live/${location.pathname.split("/").at(-1)}`;
const playlist = `${stream}/index.m3u8?token=${encodeURIComponent(token)}`;

/** @param {State} state @param {string} [way] */
function show(state, way = "") {
  const [badge, title, text] = WORDS[state];
  main.dataset.state = state;
  find(".badge b", HTMLElement).textContent = badge;
  find("h1", HTMLElement).textContent = title;
  find("p", HTMLElement).textContent = text;
  find(".way", HTMLElement).textContent = way;
  again.hidden = state !== "failed";
  document.title = `${badge} · Odyssey`;
}

async function watch() {
  show("connecting");
  const at = { url: stream, token, playlist };
  const player = new BroadcastPlayer(at, video, async () => (await import("./hls.js")).default);
  const state = await player.ask();
  if (state !== "live") return show(state);
  const route = await player.play(query.has("hls"));
  if (route === "") return show("failed");
  show("live", WAYS[route]);
  const over = await player.over();
  if (over !== "live") return show(over);
  player.close(); // only the line is broken
  watch();
}

function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else main.requestFullscreen();
}

find(".full", HTMLButtonElement).addEventListener("click", fullscreen);
video.addEventListener("dblclick", fullscreen);
addEventListener("keydown", ({ key, ctrlKey, metaKey, altKey }) => {
  if (key === "f" && !ctrlKey && !metaKey && !altKey && main.dataset.state === "live") fullscreen();
});
again.addEventListener("click", watch);
watch();
