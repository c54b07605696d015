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
 * @param {Clocks} clocks
 * @param {number} time  Unix time in seconds
 */
export function meterOf({ streaming, fps, path }, { stream_ends, idle_since }, time) {
  if (!streaming) return idle_since > 0 ? `holding a GPU ${clock(time - idle_since)}, no stream` : "";
  const parts = [];
  if (fps > 0) parts.push(`${fps} fps ${path}`);
  if (stream_ends > 0) parts.push(`${clock(stream_ends - time)} left`);
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
