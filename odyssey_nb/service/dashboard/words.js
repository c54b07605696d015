// @ts-check
// Times and amounts as people write them.

/** Seconds as `2:14` or `1:02:14`; never negative. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${pad(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(whole % 60)}`;
}

/** Hours as `12 min` or `2.5 h`. @param {number} hours */
export function hours(hours) {
  if (hours === 0) return "0 h";
  return hours < 1 ? `${Math.max(1, Math.round(hours * 60))} min` : `${Number(hours.toFixed(1))} h`;
}

/** A moment as `25 Nov, 17:43`, in the reader's own time. @param {string} iso */
export function moment(iso) {
  return new Date(iso).toLocaleString([], {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  });
}

/** The first words of a sentence start large. @param {string} text */
export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Why a session or its stream ends next, by the reason that the service will give. */
export const CLOCKS = /** @type {Record<string, string>} */ ({
  session_timeout: "the stream's limit",
  duration_limit_reached: "the connection's limit",
  idle_timeout: "no stream for too long",
  heartbeat_timeout: "silence",
  negotiation_timeout: "no video connection",
  reservation_expired: "nobody connects",
  socket_lost: "connection lost",
  peer_lost: "video connection lost",
});

// A client says that it is there every ten seconds or so; its clock says something once it is late.
const SILENCE = 20; // seconds

/**
 * Which clock runs out next; null when none is worth a word.
 *
 * @param {Record<string, number>} clocks  seconds left, by reason
 * @returns {[string, number] | null}
 */
export function nextEnd(clocks) {
  const worth = Object.entries(clocks).filter(
    ([reason, left]) => reason !== "heartbeat_timeout" || left < SILENCE,
  );
  worth.sort(([, one], [, other]) => one - other);
  return worth[0] ?? null;
}
