// @ts-check
// Invitations to hand out: a card each, with a name, a link to copy, and its QR code.

/** @import { RenderProps } from "@anywidget/types" */
import { element, keepKeys, say } from "./_shared.js";
import { asking } from "./film.js";
import { linkCard } from "./links.js";

const LINK_DEADLINE = 8000; // milliseconds that the kernel gets for each answer

/** @param {RenderProps<{ names: string[] }>} props */
function render({ model, el }) {
  const closing = new AbortController();
  const { signal } = closing;
  const ask = asking(model, LINK_DEADLINE, signal);
  const note = element("p", { class: "odyssey-note" });
  const grid = element("div", { class: "odyssey-cards", role: "list" });
  const label = { class: "odyssey-crowd odyssey-invitations", role: "group", "aria-label": "invitations" };
  const root = element("div", { ...label, "data-lm-suppress-shortcuts": "true" }, grid, note);

  async function fill() {
    for (const [number, name] of model.get("names").entries()) {
      const answer = await ask({ type: "link", number });
      const card = linkCard(answer.link, answer.qr, `link of ${name}`);
      grid.append(element("div", { role: "listitem" }, element("b", {}, name), card));
      say(note, answer.note);
    }
  }

  fill().catch((error) => {
    if (!signal.aborted) say(note, error.message);
  });
  keepKeys(root, signal);
  el.append(root);
  return () => {
    closing.abort();
    root.remove();
  };
}

export default { render };
