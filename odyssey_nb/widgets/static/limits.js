// @ts-check
// What the player says about the limits that will end a stream or its connection.

import { clock } from "./_shared.js";

/**
 * When what ends, Unix time in seconds; 0: it does not, or that is not known.
 *
 * @typedef {object} Clocks
 * @property {number} stream_ends
 * @property {number} connection_ends
 * @property {number} idle_since  since when there is no stream
 * @property {number} idle_ends  when the connection ends for that
 */

/** @type {(keyof Clocks)[]} */
export const CLOCKS = ["stream_ends", "connection_ends", "idle_since", "idle_ends"];

/**
 * What stands over the picture: pictures per second and the stream's time left, `20 fps direct ·
 * 2:14 left`, or for how long a streamer is held for nothing. What is unknown is left out.
 *
 * @param {object} now
 * @param {boolean} now.streaming
 * @param {number} now.fps
 * @param {string} now.path  which way they come
 * @param {boolean} now.goesOn  whether it goes on past that
 * @param {Clocks} clocks
 * @param {number} time  Unix time in seconds
 */
export function meterOf({ streaming, fps, path, goesOn }, { stream_ends, idle_since }, time) {
  if (!streaming) return idle_since > 0 ? `holding a GPU ${clock(time - idle_since)}, no stream` : "";
  const parts = [];
  if (fps > 0) parts.push(`${fps} fps ${path}`);
  if (stream_ends > 0) parts.push(`${clock(stream_ends - time)} left${goesOn ? ", then on" : ""}`);
  return parts.join(" · ");
}

/**
 * The connection's own time left, `58:20 left`; sooner if no stream runs.
 *
 * @param {Clocks} clocks
 * @param {number} time  Unix time in seconds
 */
export function leftOf({ connection_ends, idle_ends }, time) {
  const ends = Math.min(...[connection_ends, idle_ends].filter((each) => each > 0));
  return ends === Infinity ? "" : `${clock(ends - time)} left`;
}

/**
 * What is about to end, or has just ended, at a limit.
 *
 * @typedef {object} Ending
 * @property {string} words  with a countdown, where it is about to
 * @property {string} aloud  for screen readers, the same all the time
 * @property {boolean} offer  whether it can go on
 */

const SOON = 15; // seconds

/**
 * What to warn of; null for nothing. What goes on by itself is no end.
 *
 * @param {object} now
 * @param {boolean} now.streaming
 * @param {boolean} now.again  there is a prompt to go on with
 * @param {boolean} now.atLimit  a limit has ended the last stream
 * @param {boolean} now.goesOn
 * @param {Clocks} clocks
 * @param {number} time  Unix time in seconds
 * @returns {Ending | null}
 */
export function endingOf({ streaming, again, atLimit, goesOn }, clocks, time) {
  const { stream_ends, connection_ends, idle_ends } = clocks;
  /** @type {[string, number][]} */
  const dues = [
    ["the stream", streaming ? stream_ends : 0],
    ["the connection", connection_ends],
    ["the connection", streaming ? 0 : idle_ends],
  ];
  const soon = dues.filter(([, due]) => due > 0 && due - time < SOON);
  if (goesOn && streaming) return null;
  if (soon.length > 0) {
    const [what, due] = soon.reduce((one, other) => (other[1] < one[1] ? other : one));
    const idle = what === "the connection" && !streaming;
    const why = idle ? " without a stream" : " at its limit";
    return {
      words: `${what} ends${why} in ${clock(due - time)}`,
      aloud: `${what} is about to end${why}`,
      offer: streaming || again,
    };
  }
  if (streaming || !atLimit || !again) return null;
  const words = "the stream has reached its limit";
  return { words, aloud: words, offer: true };
}
