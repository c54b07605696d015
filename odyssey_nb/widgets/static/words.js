// @ts-check
// What the player says about a connection and its stream.

import { clock } from "./_shared.js";

/** @typedef {"live" | "busy" | "idle" | "failed"} Tone  the colour of the dot */

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

/**
 * Pictures per second and time left, `20 fps · 2:14 left`; what is unknown is left out.
 *
 * @param {number} fps
 * @param {number} ends  Unix time in seconds; 0 when unknown
 * @param {number} now  Unix time in seconds
 */
export function meterOf(fps, ends, now) {
  const parts = [];
  if (fps > 0) parts.push(`${fps} fps`);
  if (ends > 0) parts.push(`${clock(ends - now)} left`);
  return parts.join(" · ");
}
