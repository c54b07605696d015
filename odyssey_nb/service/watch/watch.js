// @ts-check
// Shows a broadcast to somebody without a notebook, and lets them steer where they may.

/** @import { Standing } from "./broadcast.js" */
import { BroadcastPlayer } from "./broadcast.js";

/** @typedef {Standing | "connecting" | "waiting"} State */

const WAYS = { WebRTC: "WebRTC", HLS: "HLS, a few seconds behind" };

/** What each state is called, and says. @type {Record<State, [string, string, string]>} */
const WORDS = {
  connecting: ["Connecting", "Connecting…", "The first picture is on its way."],
  waiting: ["Welcome", "Welcome", "The picture comes when you have joined."],
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
const stream = location.pathname.split("/").at(-1) ?? "";
const loadHls = async () => (await import("./hls.js")).default;

/** What is shown; a crowd's stream may go on as another one. */
let at = address(stream, query.get("token") ?? "");
/** @type {BroadcastPlayer | null} */
let player = null;
let steering = false; // there is a crowd, which knows when its stream is over

/** @param {string} id @param {string} token */
function address(id, token) {
  const url = `/live/${id}`;
  return { url, token, playlist: `${url}/index.m3u8?token=${encodeURIComponent(token)}` };
}

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
  player?.close();
  const mine = (player = new BroadcastPlayer(at, video, loadHls));
  const state = await mine.ask();
  if (mine !== player) return undefined; // it shows another one now
  if (state !== "live") return show(steering && state === "ended" ? "connecting" : state);
  const route = await mine.play(query.has("hls"));
  if (mine !== player) return mine.close();
  if (route === "") return show("failed");
  show("live", WAYS[route]);
  const over = await mine.over();
  if (mine !== player) return undefined;
  if (over !== "live") return show(steering ? "connecting" : over);
  return watch(); // only the line is broken
}

async function steer() {
  const { CrowdLine, ticketOf } = await import("./crowd.js");
  const ticket = ticketOf(location, stream);
  if (ticket === null) return watch();
  const { Panel } = await import("./panel.js");
  steering = true;
  show("waiting");
  const panel = new Panel({
    propose: (prompt) => line.propose(prompt),
    vote: (proposal) => line.vote(proposal),
  });
  if (ticket.name === "" && !(ticket.join && ticket.me)) ticket.name = await panel.askName();
  const line = new CrowdLine(stream, ticket, {
    entered: (me, name) => panel.enter(me, name),
    stream: (id, token) => {
      if (player !== null && at.url === address(id, token).url) return;
      at = address(id, token);
      watch();
    },
    board: (board) => panel.show(board),
    told: (told) => panel.hear(told),
    away: (away) => panel.hold(away ? "The notebook has lost touch: wait a moment." : ""),
    refused: (reason) => {
      panel.refuse(reason);
      player?.close();
      player = null;
      show("refused");
    },
    over: (reason) => {
      steering = false;
      panel.close(`It is over: ${reason}.`);
      if (main.dataset.state !== "live") show("ended");
    },
    lost: () => panel.hold("The line is being repaired…"),
  });
}

function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else main.requestFullscreen();
}

find(".full", HTMLButtonElement).addEventListener("click", fullscreen);
video.addEventListener("dblclick", fullscreen);
addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
  const typing = target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
  if (key !== "f" || typing || ctrlKey || metaKey || altKey) return;
  if (main.dataset.state === "live") fullscreen();
});
again.addEventListener("click", watch);
if (location.hash.length > 1) steer();
else watch();
