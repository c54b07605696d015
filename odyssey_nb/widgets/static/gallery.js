// @ts-check
// The gallery: thumbnails of recordings, and a player with what happened in the one that is chosen.

/** @import { RenderProps } from "@anywidget/types" */
/** @import { Happening } from "./film.js" */
import { clock, element, keepKeys, listen, say } from "./_shared.js";
import { asking, fetchWhole, happened } from "./film.js";

/** @typedef {{ stream: string, title: string, number: number }} Card */
/** @typedef {{ cards: Card[], more: number }} GalleryState  the synced traits of recordings.py */
const DEADLINE = 30_000; // milliseconds that the kernel gets for each answer

/** @param {RenderProps<GalleryState>} props */
function render({ model, el }) {
  const closing = new AbortController();
  const { signal } = closing;
  const ask = asking(model, DEADLINE, signal);

  const stage = element("div", { class: "odyssey-stage" });
  const grid = element("div", { class: "odyssey-grid", role: "list" });
  const problem = element("p", { class: "odyssey-problem", role: "alert" });
  const more = element("p", { class: "odyssey-more" });
  const root = element("div", { class: "odyssey-gallery", "data-lm-suppress-shortcuts": "true" });
  root.append(stage, problem, grid, more);
  /** What is on stage goes with this. @type {AbortController | null} */
  let showing = null;

  /** Do something, and say what went wrong. @param {() => Promise<unknown>} work */
  async function attempt(work) {
    say(problem, "");
    try {
      await work();
    } catch (error) {
      if (!signal.aborted && /** @type {Error} */ (error).name !== "AbortError")
        say(problem, /** @type {Error} */ (error).message);
    }
  }

  /** @param {string} words @param {string} kind @param {() => unknown} action */
  function button(words, kind, action) {
    const made = element("button", { type: "button", class: kind }, words);
    made.addEventListener("click", action);
    return made;
  }

  /** @param {Card} card */
  async function play({ stream, title }) {
    showing?.abort();
    const mine = (showing = new AbortController());
    const video = element("video", { controls: "", playsinline: "", "aria-label": title });
    video.muted = true; // there is no sound, and only silent videos begin by themselves
    const loading = element("progress", { "aria-label": "loading", max: "1" });
    const events = element("ol", { class: "odyssey-events", "aria-label": "what happened" });
    const download = element("a", { download: `${stream}.mp4`, class: "odyssey-button" }, "Download");
    download.hidden = true;
    const remove = button("Delete", "odyssey-delete", () => {
      if (remove.dataset.sure) return attempt(() => ask({ type: "delete", stream }));
      remove.dataset.sure = "yes";
      return say(remove, "Delete for good?");
    });
    remove.addEventListener("blur", () => {
      delete remove.dataset.sure;
      say(remove, "Delete");
    });
    const close = button("Close", "", () => mine.abort());
    const choices = element("div", { class: "odyssey-choices" }, download, remove, close);
    stage.replaceChildren(element("h4", {}, title), video, loading, events, choices);
    mine.signal.addEventListener("abort", () => {
      URL.revokeObjectURL(video.src);
      if (showing === mine) stage.replaceChildren();
    });
    close.focus();

    const listed = await ask({ type: "events", stream });
    for (const event of /** @type {Happening[]} */ (listed.events)) {
      const seek = button(clock(Math.floor(event.time)), "", () => (video.currentTime = event.time));
      events.append(element("li", {}, seek, " ", happened(event)));
    }
    const part = async (/** @type {number} */ start) => {
      const { data, size } = await ask({ type: "part", stream, start });
      return { data, size };
    };
    const whole = await fetchWhole(part, (fraction) => (loading.value = fraction), mine.signal);
    video.src = download.href = URL.createObjectURL(whole);
    loading.remove();
    download.hidden = false;
    await video.play().catch(() => {}); // a browser may want a click first
  }

  /** @type {Map<string, HTMLElement>} */
  const shown = new Map();

  /** @param {Card} card */
  function furnish(card) {
    const picture = element("img", { alt: "" });
    const open = button("", "odyssey-card", () => attempt(() => play(card)));
    open.setAttribute("aria-label", `play recording ${card.number}, ${card.title}`);
    open.append(picture, element("span", {}, `[${card.number}] ${card.title}`));
    attempt(async () => {
      const { data } = await ask({ type: "thumbnail", stream: card.stream });
      picture.src = URL.createObjectURL(new Blob([data], { type: "image/jpeg" }));
      signal.addEventListener("abort", () => URL.revokeObjectURL(picture.src));
    });
    return element("div", { role: "listitem", "data-stream": card.stream }, open);
  }

  function update() {
    const cards = model.get("cards");
    const left = new Set(cards.map(({ stream }) => stream));
    for (const [stream, place] of shown) {
      if (left.has(stream)) continue;
      place.remove();
      shown.delete(stream);
      showing?.abort(); // only what is on stage can be deleted here
    }
    for (const card of cards) {
      if (shown.has(card.stream)) continue;
      const place = furnish(card);
      shown.set(card.stream, place);
      grid.append(place);
    }
    const others = model.get("more");
    say(more, cards.length === 0 ? "no recordings are left" : others ? `and ${others} more` : "");
  }

  keepKeys(root, signal);
  listen(model, "change:cards", update, signal);
  update();
  el.append(root);

  return () => {
    showing?.abort();
    closing.abort();
    root.remove();
  };
}

export default { render };
