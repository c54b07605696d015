// @ts-check
// A clip: its filmstrip becomes the video; under it one line of time with prompts, marks, playhead.

/** @import { RenderProps } from "@anywidget/types" */
import { element, keepKeys, say } from "./_shared.js";
import { asking, fetchWhole } from "./film.js";

/** @typedef {{ time: number, text: string }} Moment  seconds from the clip's beginning */
/**
 * @typedef {object} ClipState  the synced traits of clip.py
 * @property {string} title
 * @property {number} duration
 * @property {number} ratio
 * @property {Moment[]} segments
 * @property {Moment[]} marks
 */

const CLIP_DEADLINE = 60_000; // milliseconds for each answer; a resized clip is encoded first
const JUMP = 0.05; // seconds that an arrow key moves the playhead: one picture

/**
 * The share of the whole that each segment takes; they add up to one.
 *
 * @param {Moment[]} segments
 * @param {number} duration  seconds
 */
export function shares(segments, duration) {
  const whole = Math.max(duration, 1e-3);
  return segments.map(({ time }, n) => {
    const end = n + 1 < segments.length ? segments[n + 1].time : whole;
    return Math.max(0, end - time) / whole;
  });
}

/** @param {RenderProps<ClipState>} props */
function render({ model, el }) {
  const closing = new AbortController();
  const { signal } = closing;
  const ask = asking(model, CLIP_DEADLINE, signal);

  const duration = Math.max(model.get("duration"), 1e-3);
  const film = element("img", { alt: `a clip of ${model.get("title")}` });
  const video = element("video", { controls: "", loop: "", playsinline: "", "aria-label": "clip" });
  video.muted = true; // there is no sound, and only silent videos begin by themselves
  video.hidden = true;
  video.style.aspectRatio = String(model.get("ratio"));
  const play = element(
    "button",
    { type: "button", class: "odyssey-play", "aria-label": "play the clip" },
    element("span", { "aria-hidden": "true" }, "▶"),
  );
  const loading = element("progress", { "aria-label": "loading", max: "1" });
  loading.hidden = true;
  const problem = element("p", { class: "odyssey-problem", role: "alert" });
  const head = element("div", { class: "odyssey-head", "aria-hidden": "true" });
  const line = element("div", { class: "odyssey-line" });
  const title = element("p", { class: "odyssey-title" }, model.get("title"));
  const stage = element("div", { class: "odyssey-film" }, film, video, play);
  const root = element("div", { class: "odyssey-clip", "data-lm-suppress-shortcuts": "true" });
  root.append(stage, loading, line, problem, title);

  /** Fetch the video and show it. */
  async function load() {
    play.disabled = true;
    loading.hidden = false;
    const whole = await fetchWhole(
      async (start) => {
        const { data, size } = await ask({ type: "part", start });
        return { data, size };
      },
      (fraction) => (loading.value = fraction),
      signal,
    );
    video.src = URL.createObjectURL(whole);
    signal.addEventListener("abort", () => URL.revokeObjectURL(video.src));
    video.hidden = false;
    film.hidden = play.hidden = true;
  }

  /** The video on its way, or here. @type {Promise<void> | null} */
  let loaded = null;

  /** Play from so many seconds. @param {number} time */
  async function playFrom(time) {
    say(problem, "");
    try {
      await (loaded ??= load());
      video.currentTime = time;
      await video.play().catch(() => {}); // a browser may want a click first
    } catch (error) {
      loaded = null;
      if (!signal.aborted) say(problem, /** @type {Error} */ (error).message);
    } finally {
      loading.hidden = true;
      play.disabled = false;
    }
  }

  const segments = model.get("segments");
  const parts = shares(segments, duration);
  segments.forEach(({ time, text }, n) => {
    const words = text || "no prompt is known";
    const part = element("button", { type: "button", title: words, class: "odyssey-segment" }, text);
    part.setAttribute("aria-label", `play from ${time.toFixed(1)} s: ${words}`);
    part.style.flexGrow = String(parts[n]);
    part.addEventListener("click", () => playFrom(time));
    line.append(part);
  });
  for (const { time, text } of model.get("marks")) {
    const mark = element("button", { type: "button", title: text, class: "odyssey-mark" }, "⚑");
    mark.setAttribute("aria-label", `play from the mark at ${time.toFixed(1)} s: ${text}`);
    mark.style.left = `${(100 * Math.min(time, duration)) / duration}%`;
    mark.addEventListener("click", () => playFrom(time));
    line.append(mark);
  }
  line.append(head);

  /** Move the playhead with the video, as long as it plays. */
  function follow() {
    head.style.left = `${(100 * Math.min(video.currentTime, duration)) / duration}%`;
    if (!video.paused && !signal.aborted) requestAnimationFrame(follow);
  }

  play.addEventListener("click", () => playFrom(0));
  video.addEventListener("play", follow);
  video.addEventListener("seeked", follow);
  video.addEventListener("keydown", (event) => {
    const way = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (way === 0) return;
    event.preventDefault(); // browsers jump by seconds, which is most of a clip
    video.pause();
    video.currentTime += way * JUMP * (event.shiftKey ? 10 : 1);
  });
  keepKeys(root, signal);
  ask({ type: "film" }).then(
    ({ data }) => {
      film.src = URL.createObjectURL(new Blob([data], { type: "image/jpeg" }));
      signal.addEventListener("abort", () => URL.revokeObjectURL(film.src));
    },
    (error) => signal.aborted || say(problem, error.message),
  );
  el.append(root);

  return () => {
    closing.abort();
    root.remove();
  };
}

export default { render };
