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
 * @property {number} budget_ends  when what the user allowed is used up
 */

/** @type {(keyof Clocks)[]} */
export const CLOCKS = ["stream_ends", "connection_ends", "idle_since", "idle_ends", "budget_ends"];

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
 * The connection's own time left, `58:20 left`, which is less if no stream runs; and the budget's.
 *
 * @param {Clocks} clocks
 * @param {number} time  Unix time in seconds
 */
export function leftOf({ connection_ends, idle_ends, budget_ends }, time) {
  const ends = Math.min(...[connection_ends, idle_ends].filter((each) => each > 0));
  const parts = ends === Infinity ? [] : [`${clock(ends - time)} left`];
  if (budget_ends > 0) parts.push(`budget ${clock(budget_ends - time)}`);
  return parts.join(" · ");
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
 * @param {boolean} now.closed  the connection has ended, and another can go on from there
 * @param {boolean} now.streaming
 * @param {boolean} now.again  there is a prompt to go on with
 * @param {boolean} now.atLimit  a limit has ended the last stream
 * @param {boolean} now.goesOn
 * @param {Clocks} clocks
 * @param {number} time  Unix time in seconds
 * @returns {Ending | null}
 */
export function endingOf({ closed, streaming, again, atLimit, goesOn }, clocks, time) {
  if (closed) return over("the connection has ended");
  const { stream_ends, connection_ends, idle_ends, budget_ends } = clocks;
  const limits = goesOn && streaming ? 0 : 1;
  /** @type {{ what: string, why: string, due: number, offer: boolean }[]} */
  const dues = [
    { what: "the stream", why: " at its limit", due: stream_ends * limits, offer: streaming },
    { what: "the connection", why: " at its limit", due: connection_ends * limits, offer: streaming },
    { what: "the connection", why: " without a stream", due: idle_ends * limits, offer: again },
    { what: "the budget", why: "", due: budget_ends, offer: false },
  ];
  const soon = dues.filter(({ due }) => due > 0 && due - time < SOON);
  if (soon.length > 0) {
    const { what, why, due, offer } = soon.reduce((one, other) => (other.due < one.due ? other : one));
    return {
      words: `${what} ends${why} in ${clock(due - time)}`,
      aloud: `${what} is about to end${why}`,
      offer,
    };
  }
  return streaming || !atLimit || !again ? null : over("the stream has reached its limit");
}

/** What can go on although it is over. @param {string} words @returns {Ending} */
function over(words) {
  return { words, aloud: words, offer: true };
}
