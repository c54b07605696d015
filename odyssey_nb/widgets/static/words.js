// @ts-check
// What the player says about a connection and its stream.

/** @import { Way } from "./decoders.js" */
/** @import { Fate } from "./kernel.js" */
import { clock } from "./_shared.js";

/** @typedef {"live" | "busy" | "idle" | "failed"} Tone  the colour of the dot */

/** Which way pictures come, in a sentence. */
export const PATHS = {
  direct: "pictures come straight from the sidecar, whatever the kernel does",
  relay: "pictures come through the kernel and the Jupyter server",
  JPEG: "the kernel decodes, and sends as many JPEGs as this page takes",
  WebRTC: "this browser watches the broadcast by itself, by WebRTC",
  HLS: "this browser watches the broadcast by itself, by HLS, some seconds behind",
};

/**
 * Which way pictures come and, where the page has not what shows them best, why it is that one.
 *
 * @param {keyof typeof PATHS} path
 * @param {Way} way  how they are decoded
 * @param {boolean} secure  whether the page is a secure context
 */
export function wayOf(path, way, secure) {
  if (way === "WebCodecs" || path === "WebRTC" || path === "HLS") return PATHS[path];
  const what = way === "JPEG" ? PATHS.JPEG : `${PATHS[path]}, and are played by Media Source`;
  if (secure) return `this browser lacks ${way === "JPEG" ? "H.264" : "WebCodecs"}: ${what}`;
  return `plain http: ${what}; https or localhost shows ${way === "JPEG" ? "all" : "them sooner"}`;
}

/** The statuses before a connection is there. */
export const UNDERWAY = ["authenticating", "connecting"];

/**
 * What the pill over the picture says.
 *
 * @param {object} now
 * @param {string} now.status
 * @param {boolean} now.streaming
 * @param {boolean} now.starting
 * @param {boolean} now.quiet  nothing is heard from the kernel
 * @param {boolean} now.past  there was a stream before
 * @returns {[Tone, string]}
 */
export function pillOf({ status, streaming, starting, quiet, past }) {
  if (status === "failed") return ["failed", "failed"];
  if (status === "reconnecting") return ["busy", "reconnecting…"];
  if (UNDERWAY.includes(status)) return ["busy", "connecting…"];
  if (status !== "connected") return ["idle", past ? "ended" : "not connected"];
  if (streaming) return quiet ? ["busy", "no picture"] : ["live", "live"];
  return starting ? ["busy", "starting…"] : ["idle", "connected, no stream"];
}

const QUIET = "no picture for 3 s; the kernel or the service may be gone";

/** What is said over a broadcast that is watched no more. */
export const OVER = "the broadcast has ended";
export const LEFT = "you have left; run the cell again to watch";

/**
 * What the middle of the picture says, and whether something is under way.
 *
 * @param {object} now
 * @param {string} now.status
 * @param {boolean} now.streaming
 * @param {string} now.stage  what the sidecar is at
 * @param {boolean} now.quiet  nothing is heard from the kernel
 * @param {boolean} now.starting  a stream was asked for here
 * @param {boolean} now.painted  this stream has shown a picture
 * @param {boolean} now.shown  there is a picture, of this stream or another
 * @param {string} now.over  what there is to say of a broadcast that is watched no more
 */
export function middleOf({ status, streaming, stage, quiet, starting, painted, shown, over }) {
  if (stage) return { text: stage, busy: true };
  if (quiet) return { text: QUIET, busy: false };
  if (starting) return { text: "starting…", busy: true };
  if (UNDERWAY.includes(status)) return { text: "connecting…", busy: true };
  if (streaming && !painted) return { text: "waiting for the first picture…", busy: true };
  if (shown || over) return { text: over, busy: false };
  return { text: `type a prompt to ${status === "failed" ? "try again" : "start a stream"}`, busy: false };
}

/** Why a stage may take long, and what helps, by how its words begin. */
const REASONS = {
  "waiting for a streamer": "all are taken; ody.sessions() says by whom",
  "opening the session": "the service is slow to answer",
  "negotiating video": "a way for the video is sought, longer where UDP is blocked",
  "starting": "the world makes its first picture",
  "waiting for the first picture": "it was made, and is on its way",
  "connecting": "the service is slow to answer",
};
const LONG = 4; // seconds

/**
 * Why something takes long, and for how long it has; empty while it does not.
 *
 * @param {string} stage  what is under way
 * @param {number} seconds  since when
 */
export function whyOf(stage, seconds) {
  if (seconds < LONG) return "";
  const why = Object.entries(REASONS).find(([words]) => stage.startsWith(words))?.[1];
  return [clock(Math.floor(seconds)), why].filter(Boolean).join(" · ");
}

/** @type {Record<Fate, [pill: string, what: string]>} */
const FATES = {
  live: ["", ""],
  restarted: ["kernel restarted", "the kernel restarted"],
  died: ["kernel restarted", "the kernel died and was started again"],
  "shut down": ["kernel shut down", "the kernel was shut down"],
  gone: ["kernel gone", "the kernel restarted or is gone"],
  unreachable: ["reconnecting…", "this page has lost the Jupyter server; trying again…"],
  lost: ["no server", "this page has lost the Jupyter server; reconnect to the kernel, or reload"],
};

/**
 * What pill and picture say of a kernel that is not there.
 *
 * @param {Fate} fate
 * @param {number | null} released  seconds until its session was released, where it said so
 * @returns {{ tone: Tone, pill: string, text: string }}
 */
export function fateOf(fate, released) {
  const [pill, what] = FATES[fate];
  if (fate === "unreachable") return { tone: "busy", pill, text: what };
  if (fate === "lost") return { tone: "failed", pill, text: what };
  const time = released === null ? "" : released.toFixed(released < 0.1 ? 2 : 1);
  const freed = time && `; session released ${time} s later`;
  return { tone: "failed", pill, text: `${what}${freed}; run the connect cell` };
}

/**
 * What a view says when it is seen again: what would have come of it.
 *
 * @param {{ unseen: number, step: string, left: number }} message  times in seconds
 */
export function seenAgain({ unseen, step, left }) {
  const what = step === "end" ? "the stream would have ended" : "it would have been disconnected";
  return `unseen for ${clock(unseen)}; ${what} in ${clock(left)}`;
}

/**
 * What is about to come of it that nobody sees a stream.
 *
 * @typedef {object} Coming
 * @property {string} name  the connection's
 * @property {string} step  "end" of the stream, or "disconnect"
 * @property {number} left  seconds until then
 */

/** What the page says of a stream that nobody sees. @param {Coming} coming */
export function unseenOf({ name, step, left }) {
  const [what, how] = step === "end" ? ["the stream ", "it ends"] : ["", "it is disconnected"];
  return `Nobody sees ${what}'${name}': ${how} in ${clock(left)}.`;
}

/** The countdown in a title. The word joiner, which is not seen, tells that it is ours. */
const COUNTDOWN = /^\u2060\([\d:]+\) /;

/**
 * The title of a page with a countdown before it, `(0:32) walk.ipynb`, or without the one it has.
 *
 * @param {string} title
 * @param {number | null} left  seconds
 */
export function titled(title, left) {
  const bare = title.replace(COUNTDOWN, "");
  return left === null ? bare : `\u2060(${clock(left)}) ${bare}`;
}
