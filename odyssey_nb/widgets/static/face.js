// @ts-check
// Brings the player's elements in line with what is known.

/** @import { Parts } from "./furniture.js" */
/** @import { Clocks } from "./limits.js" */
/** @import { Steering } from "./steering.js" */
/** @import { Latest } from "./traits.js" */
/** @import { Tone } from "./words.js" */
import { say } from "./_shared.js";
import { CLOCKS, endingOf, leftOf, meterOf } from "./limits.js";
import { UNDERWAY } from "./words.js";

const OPEN = ["authenticating", "connecting", "connected", "reconnecting"];

/**
 * What a view knows besides the traits.
 *
 * @typedef {object} Known
 * @property {boolean} reachable  somebody hears what is asked for
 * @property {{ tone: Tone, words: string }} pill
 * @property {{ text: string, busy: boolean }} middle  what the middle of the picture says
 * @property {boolean} shown  there is a picture
 * @property {Steering} steering
 * @property {boolean} saving  a file is being made
 * @property {boolean} floats  it does, or can
 * @property {{ error: string, hint: string }} problem
 */

/** @param {Parts} parts @param {Latest} latest @param {Known} known */
export function dress(parts, latest, known) {
  const { root, canvas } = parts;
  const streaming = latest.get("streaming");
  root.dataset.status = latest.get("status");
  root.dataset.streaming = String(streaming);
  root.dataset.orientation = latest.get("orientation");
  root.setAttribute("aria-label", `Odyssey player ${latest.get("name")}`.trim());

  parts.pill.dataset.tone = known.pill.tone;
  say(parts.words, known.pill.words);
  say(parts.stage, known.middle.text);
  parts.veil.dataset.busy = String(known.middle.busy);
  parts.veil.hidden = known.middle.text === "" && known.shown;
  canvas.dataset.dim = String(known.middle.text !== "" || !streaming);
  const { applied, sending } = known.steering;
  canvas.setAttribute("aria-label", applied ? `live picture: ${applied}` : "live picture");

  say(parts.sending, sending ? "sending…" : "");
  say(parts.prompt, sending || applied);
  parts.prompt.title = sending || applied;
  say(parts.caption, latest.get("caption"));
  parts.caption.hidden = latest.get("caption") === "";
  dressControls(parts, latest, known);
  dressTools(parts, latest, known);

  const { error, hint } = known.problem;
  say(parts.error, error);
  say(parts.hint, error ? hint : "");
  parts.problem.classList.toggle("odyssey-empty", error === "");
}

/** What steers the stream. @param {Parts} parts @param {Latest} latest @param {Known} known */
function dressControls(parts, latest, { reachable, steering }) {
  const [status, streaming] = [latest.get("status"), latest.get("streaming")];
  const spectating = latest.get("spectating");
  for (const part of [parts.input, parts.send, parts.end]) part.hidden = spectating;
  say(parts.disconnect, spectating ? "Leave" : "Disconnect");
  const leaves = spectating ? "watch no more" : "disconnect and free the streamer";
  parts.disconnect.setAttribute("aria-label", leaves);
  say(parts.send, streaming ? "Send" : "Start");
  parts.send.setAttribute("aria-label", streaming ? "send the prompt" : "start a stream");
  const closed = !reachable || steering.asking("start") || UNDERWAY.includes(status);
  parts.send.disabled = closed || status === "reconnecting";
  parts.end.disabled = !reachable || !streaming || steering.asking("end");
  parts.disconnect.disabled = !reachable || !OPEN.includes(status) || steering.asking("disconnect");
}

/**
 * What keeps pictures, and shows them elsewhere.
 *
 * @param {Parts} parts
 * @param {Latest} latest
 * @param {Known} known
 */
function dressTools(parts, latest, known) {
  const live = known.reachable && latest.get("streaming") && latest.get("status") === "connected";
  const recording = latest.get("recording_since") > 0;
  parts.mark.hidden = latest.get("spectating");
  parts.mark.disabled = !live || known.steering.asking("mark");
  parts.snapshot.disabled = !known.shown;
  parts.clip.disabled = parts.seconds.disabled = !live || known.saving;
  parts.record.disabled = known.saving || !(recording ? known.reachable : live);
  parts.record.setAttribute("aria-pressed", String(recording));
  parts.record.setAttribute("aria-label", recording ? "stop the recording" : "record");
  parts.record.title = recording ? "stop the recording (r)" : "record until you stop, or it ends (r)";
  parts.float.hidden = !known.floats;
}

/** @type {Clocks} */
const UNKNOWN = { stream_ends: 0, connection_ends: 0, idle_since: 0, idle_ends: 0, budget_ends: 0 };

/**
 * What stands over the picture and beside the prompt: how fast pictures come, and what ends when.
 *
 * @param {Parts} parts
 * @param {Latest} latest
 * @param {object} measured
 * @param {boolean} measured.reachable  somebody hears what is asked for
 * @param {number} measured.fps
 * @param {string} measured.path  which way pictures come
 * @param {boolean} measured.again  there is a prompt to go on with
 * @param {boolean} measured.continuing  that was asked for
 * @param {number} measured.now  Unix time in seconds
 */
export function dressClocks(parts, latest, { reachable, fps, path, again, continuing, now }) {
  const connected = reachable && latest.get("status") === "connected";
  const spectating = latest.get("spectating");
  const clocks = connected
    ? /** @type {Clocks} */ (Object.fromEntries(CLOCKS.map((each) => [each, latest.get(each)])))
    : UNKNOWN;
  const state = {
    closed: reachable && !connected && latest.get("resumes"),
    streaming: reachable && latest.get("streaming"),
    goesOn: latest.get("extends") !== "",
    atLimit: latest.get("at_limit"),
    again,
  };
  say(parts.meter, meterOf({ ...state, fps, path }, clocks, now));
  parts.meter.hidden = parts.meter.textContent === "";
  const ending = (connected || state.closed) && !spectating ? endingOf(state, clocks, now) : null;
  parts.ending.hidden = ending === null;
  if (ending) say(parts.aboutToEnd, ending.words);
  say(parts.aloud, ending ? ending.aloud : "");
  parts.goOn.hidden = !ending?.offer;
  parts.goOn.disabled = continuing;
  parts.meter.classList.toggle("odyssey-soon", ending !== null);
  const named = spectating ? "watching" : latest.get("name");
  say(parts.source, [named, latest.get("target")].filter(Boolean).join(" · "));
  say(parts.left, leftOf(clocks, now));
}
