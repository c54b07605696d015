// @ts-check
// The picture in a small window that stays on top of others (picture-in-picture).

/** Not in TypeScript's own list yet. @typedef {MediaStreamTrack & { writable: WritableStream }} Generator */

/**
 * Shows decoded pictures in a window of their own. They are handed over one by one, because a page
 * in the background paints no canvas.
 */
export class Floating {
  #document;
  /** @type {HTMLVideoElement | null} */
  #video = null;
  /** @type {WritableStreamDefaultWriter | null} */
  #writer = null;
  #changed;

  /** @param {Document} document  the player's @param {() => void} changed  opened or closed */
  constructor(document, changed) {
    this.#document = document;
    this.#changed = changed;
  }

  /** Whether this browser can; Firefox and Safari let no page do it with pictures of its own. */
  get able() {
    return this.#document.pictureInPictureEnabled && "MediaStreamTrackGenerator" in globalThis;
  }

  get open() {
    return this.#video !== null;
  }

  /** Open the window, or close it; to be called when the user asks for it. */
  async toggle() {
    if (this.open) {
      this.close();
      return;
    }
    const Generator = /** @type {any} */ (globalThis).MediaStreamTrackGenerator;
    const track = /** @type {Generator} */ (new Generator({ kind: "video" }));
    const video = this.#document.createElement("video");
    video.muted = true;
    video.srcObject = new MediaStream([track]);
    this.#video = video;
    this.#writer = track.writable.getWriter();
    video.addEventListener("leavepictureinpicture", () => this.close(), { once: true });
    this.#changed(); // pictures come before there is anything to show
    try {
      await video.play();
      await video.requestPictureInPicture();
    } catch {
      this.close();
    }
  }

  /** Show one more picture. @param {VideoFrame} frame  stays the caller's */
  show(frame) {
    const writer = this.#writer;
    if (writer === null || (writer.desiredSize ?? 0) <= 0) return; // it is behind
    const copy = frame.clone();
    writer.write(copy).catch(() => copy.close());
  }

  /** Close the window, if there is one. */
  close() {
    const video = this.#video;
    if (video === null) return;
    this.#video = null;
    this.#writer?.close().catch(() => {});
    this.#writer = null;
    if (this.#document.pictureInPictureElement === video) this.#document.exitPictureInPicture();
    this.#changed();
  }
}
