// @ts-check
// Whether anybody can see a view.

/** Follows whether a view is on the visible part of the page, fills the screen, or floats. */
export class Sight {
  visible = false;
  #near = false; // on the visible part of the page
  #root;
  #floats;
  #changed;

  /**
   * @param {HTMLElement} root
   * @param {() => boolean} floats  whether it has a window of its own
   * @param {() => void} changed
   * @param {AbortSignal} signal
   */
  constructor(root, floats, changed, signal) {
    this.#root = root;
    this.#floats = floats;
    this.#changed = changed;
    const observer = new IntersectionObserver(
      (entries) => {
        this.#near = entries[entries.length - 1].isIntersecting;
        this.look();
      },
      { threshold: 0 },
    );
    observer.observe(root);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
    document.addEventListener("visibilitychange", () => this.look(), { signal });
    document.addEventListener("fullscreenchange", () => this.look(), { signal });
  }

  /** Look again. */
  look() {
    const here = this.#near || this.#root.matches(":fullscreen");
    const visible = (document.visibilityState === "visible" && here) || this.#floats();
    if (visible === this.visible) return;
    this.visible = visible;
    this.#changed();
  }
}
