// @ts-check
// The tools beside the timeline: their keys, and those that only show the picture differently.

/** @import { Parts } from "./furniture.js" */
import { KEYS } from "./furniture.js";

/**
 * Let buttons and keys do what they say.
 *
 * @param {Parts} parts
 * @param {object} on
 * @param {() => boolean} on.figures  show or hide them; returns whether they are shown
 * @param {() => void} on.float
 * @param {AbortSignal} signal
 */
export function equip(parts, on, signal) {
  const { root, stats, float, expand } = parts;
  const pressed = () => stats.setAttribute("aria-pressed", String(on.figures()));
  stats.addEventListener("click", pressed, { signal });
  float.addEventListener("click", () => on.float(), { signal });
  expand.hidden = !document.fullscreenEnabled;
  const fill = () =>
    root.matches(":fullscreen") ? document.exitFullscreen() : root.requestFullscreen();
  expand.addEventListener("click", fill, { signal });
  root.addEventListener("keydown", (event) => pressKey(parts, event), { signal });
}

/** A key does what its button does, where it is not text. @param {Parts} parts @param {KeyboardEvent} event */
function pressKey(parts, event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) return;
  if (key === "/") {
    event.preventDefault();
    parts.input.focus();
    return;
  }
  const name = /** @type {Record<string, keyof Parts>} */ (KEYS)[key];
  const button = name && /** @type {HTMLButtonElement} */ (parts[name]);
  if (button && !button.hidden && !button.disabled) button.click();
}
