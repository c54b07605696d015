// @ts-check
// Links that let people in: to copy, and to take with a camera.

import { element, say } from "./_shared.js";

/**
 * A link with a button that copies it, and its QR code.
 *
 * @param {string} link
 * @param {string} qr  a picture's data URL; empty without one
 * @param {string} label
 */
export function linkCard(link, qr, label) {
  const field = element("input", { type: "text", readonly: "", value: link, "aria-label": label });
  const copy = element("button", { type: "button" }, "Copy");
  field.addEventListener("focus", () => field.select());
  copy.addEventListener("click", async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(link);
    } catch {
      document.execCommand("copy"); // there is no clipboard on pages that are no secure context
    }
    say(copy, "Copied");
    setTimeout(() => say(copy, "Copy"), 2000);
  });
  const card = element("div", { class: "odyssey-link" });
  if (qr) {
    card.append(element("img", { src: qr, alt: `QR code of the ${label}` }));
  }
  card.append(element("div", { class: "odyssey-copy" }, field, copy));
  return card;
}
