// @ts-check
// Recordings: thumbnails, newest first, that play when they are chosen.

/** @import { Api } from "./api.js" */
import { confirmed, element, empty, keep, say, section } from "./parts.js";
import { play } from "./player.js";
import { clock, moment } from "./words.js";

/**
 * @typedef {object} Recording  one of `GET /stream-recordings`
 * @property {string} stream_id
 * @property {string} started_at
 * @property {number} [duration_seconds]
 */

const PAGE = 12;

/** @param {Api} api @param {(work: () => Promise<void>) => Promise<void>} act */
export function recordings(api, act) {
  const grid = element("div", { class: "grid" });
  const nothing = empty("No recordings yet; every stream that ends leaves one.");
  const range = element("span", { class: "soft", role: "status" });
  const newer = element("button", { type: "button", click: () => turn(-PAGE) }, "Newer");
  const older = element("button", { type: "button", click: () => turn(PAGE) }, "Older");
  const pages = element("nav", { class: "pages", "aria-label": "pages of recordings" });
  pages.append(newer, range, older);
  const parts = section("Recordings", nothing, grid, pages);
  let offset = 0;

  /** @param {number} by */
  async function turn(by) {
    offset = Math.max(0, offset + by);
    await act(async () => {});
  }

  /** @param {string} id @returns {Promise<import("./player.js").Files>} */
  const files = (id) => api.ask("GET", `/recordings/${encodeURIComponent(id)}`);

  /** @param {Recording} recording */
  function make({ stream_id, started_at, duration_seconds }) {
    const length = duration_seconds === undefined ? "" : clock(duration_seconds);
    const title = `Recording of ${moment(started_at)}`;
    const picture = element("img", { alt: "", width: "320", height: "176", hidden: true });
    const open = () =>
      act(async () => {
        const dialog = play(title, await files(stream_id), remove(() => dialog.close()));
      });
    /** @param {() => void} gone */
    const remove = (gone) =>
      element("button", { type: "button", class: "danger", click: () => ask(gone) }, "Delete");
    /** @param {() => void} gone */
    const ask = async (gone) => {
      const words = "Its video and its events are removed for good.";
      if (!(await confirmed("Delete this recording?", words, "Delete"))) return;
      gone();
      await act(() => api.ask("DELETE", `/recordings/${encodeURIComponent(stream_id)}`));
    };
    files(stream_id).then(
      ({ thumbnail_url }) => {
        picture.hidden = false;
        picture.src = thumbnail_url ?? "";
      },
      () => {}, // deleted meanwhile; the next look at the list tells
    );
    return element(
      "button",
      { type: "button", class: "card thumb", "aria-label": `play the ${title}`, click: open },
      element("span", { class: "picture" }, picture, element("span", { class: "length" }, length)),
      element("span", {}, moment(started_at)),
    );
  }

  async function refresh() {
    const page = await api.ask("GET", `/stream-recordings?limit=${PAGE}&offset=${offset}`);
    if (page.recordings.length === 0 && offset > 0) {
      offset = Math.max(0, offset - PAGE); // the last one of this page is gone
      return;
    }
    say(parts.count, page.total ? String(page.total) : "");
    nothing.hidden = page.total > 0;
    keep(grid, page.recordings, (/** @type {Recording} */ each) => each.stream_id, make);
    pages.hidden = page.total <= PAGE;
    newer.disabled = offset === 0;
    older.disabled = offset + PAGE >= page.total;
    say(range, `${offset + 1}–${offset + page.recordings.length} of ${page.total}`);
  }

  return { ...parts, refresh };
}
