// @ts-check
// Simulations: scripted runs, how far they are, and a button for those that still wait.

/** @import { Api } from "./api.js" */
import { confirmed, element, empty, keep, say, section } from "./parts.js";
import { play } from "./player.js";
import { moment } from "./words.js";

/**
 * @typedef {object} Job  one of `GET /simulation-jobs`
 * @property {string} job_id
 * @property {string} status
 * @property {string} created_at
 * @property {string} [error_message]
 * @property {number} [frames_done]
 * @property {number} [frames_total]
 */

const SHOWN = 10;
const CANCELLABLE = ["pending", "dispatched"]; // protocol section 2.9
const TONES = /** @type {Record<string, string>} */ ({
  processing: "live",
  completed: "good",
  failed: "bad",
});

/** @param {Api} api @param {(work: () => Promise<void>) => Promise<void>} act */
export function simulations(api, act) {
  const list = element("div", { class: "card jobs", role: "list" });
  const nothing = empty(
    "No simulations yet. Script one in a notebook with ",
    element("code", {}, "%%odyssey simulate"),
  );
  const parts = section("Simulations", nothing, list);

  /** @param {Job} job */
  function make({ job_id, created_at }) {
    const path = `/simulation-jobs/${encodeURIComponent(job_id)}`;
    const title = `Simulation of ${moment(created_at)}`;
    const cancel = async () => {
      const words = "It has not begun yet, and will not.";
      if (await confirmed("Cancel this simulation?", words, "Cancel simulation"))
        await act(() => api.ask("DELETE", path));
    };
    const watch = (index = 0) =>
      act(async () => {
        const { streams = [] } = await api.ask("GET", path);
        const others = streams.map((/** @type {unknown} */ _, /** @type {number} */ other) => {
          const open = () => {
            dialog.close();
            watch(other);
          };
          const words = `Script ${other + 1}`;
          return element("button", { type: "button", disabled: other === index, click: open }, words);
        });
        const dialog = play(title, streams[index], ...(others.length > 1 ? others : []));
      });
    return element(
      "div",
      { role: "listitem" },
      element("span", { class: "pill" }),
      element("span", {}, moment(created_at)),
      element("span", { class: "why soft" }),
      element("progress", { "aria-label": "progress", hidden: true }),
      element("button", { type: "button", class: "watch", click: () => watch() }, "Watch"),
      element("button", { type: "button", class: "cancel danger", click: cancel }, "Cancel"),
    );
  }

  async function refresh() {
    const { jobs, total } = await api.ask("GET", `/simulation-jobs?limit=${SHOWN}`);
    say(parts.count, total ? String(total) : "");
    nothing.hidden = total > 0;
    list.hidden = total === 0;
    keep(list, jobs, (/** @type {Job} */ job) => job.job_id, make, update);
  }

  return { ...parts, refresh };
}

/** @param {HTMLElement} row @param {Job} job */
function update(row, { status, error_message, frames_done = 0, frames_total }) {
  /** @param {string} selector */
  const part = (selector) => /** @type {HTMLElement} */ (row.querySelector(selector));
  part(".pill").dataset.tone = TONES[status] ?? "idle";
  say(part(".pill"), status);
  say(part(".why"), error_message ?? "");
  part(".watch").hidden = status !== "completed";
  part(".cancel").hidden = !CANCELLABLE.includes(status);
  const bar = /** @type {HTMLProgressElement} */ (part("progress"));
  bar.hidden = status !== "processing";
  if (frames_total) bar.value = frames_done / frames_total;
}
