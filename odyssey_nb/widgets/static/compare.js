// @ts-check
// One prompt for several streams: sent to all at once, and each says what it made of it.

/** @import { RenderProps } from "@anywidget/types" */
/** @import { Answer } from "./_shared.js" */
import { Commands, element, keepKeys, listen, say } from "./_shared.js";

/** @typedef {{ names: string[] }} CompareState  the synced traits of compare.py */

const ANSWER_WITHIN = 40_000; // milliseconds; a stream that has ended is started again

/** @param {RenderProps<CompareState>} props */
function render({ model, el }) {
  const closing = new AbortController();
  const { signal } = closing;
  const commands = new Commands(tell, signal);
  const input = element("input", {
    type: "text",
    placeholder: "one prompt for all",
    "aria-label": "prompt for all",
    autocomplete: "off",
  });
  const send = element("button", { type: "submit" }, "Send to all");
  const form = element("form", {}, input, send);
  const words = new Map(model.get("names").map((name) => [name, element("span")]));
  const rows = [...words].map(([name, said]) => element("li", {}, element("b", {}, name), " ", said));
  const list = element("ul", { "aria-live": "polite" }, ...rows);
  const label = { class: "odyssey-prompt-box", role: "group", "aria-label": "prompt for all streams" };
  const root = element("div", { ...label, "data-lm-suppress-shortcuts": "true" }, form, list);
  let newest = 0;

  /** @param {Record<string, unknown>} content */
  function tell(content) {
    try {
      model.send(content);
      return true;
    } catch {
      return false; // a comm whose kernel is gone refuses to send
    }
  }

  /** @param {string} name @param {string} prompt @param {number} number */
  async function steer(name, prompt, number) {
    const said = /** @type {HTMLElement} */ (words.get(name));
    said.dataset.tone = "busy";
    say(said, "sending…");
    const answer = await commands.ask({ type: "interact", name, prompt }, ANSWER_WITHIN);
    if (number !== newest) return; // what was sent later is what counts
    said.dataset.tone = answer.ok ? "applied" : "failed";
    const failed = [answer.error, answer.hint].filter(Boolean).join(". ");
    say(said, answer.ok ? `applied: ${answer.prompt}` : failed);
  }

  form.addEventListener(
    "submit",
    (event) => {
      event.preventDefault();
      const prompt = input.value.trim();
      if (prompt === "") return;
      input.value = "";
      newest += 1;
      for (const name of words.keys()) steer(name, prompt, newest);
    },
    { signal },
  );
  keepKeys(root, signal);
  listen(
    model,
    "msg:custom",
    (/** @type {Answer & { id: string, type: string }} */ message) => {
      if (message.type === "answer") commands.settle(message);
    },
    signal,
  );
  el.append(root);
  return () => {
    closing.abort();
    root.remove();
  };
}

export default { render };
