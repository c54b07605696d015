// @ts-check
// The kernel as a page sees it.

/**
 * The kernel's clock seen from this page, which may run on another machine: the quickest message
 * so far tells by how much they differ, to within its own travel time.
 */
export class KernelClock {
  #ahead = Infinity; // this page's clock minus the kernel's, in milliseconds

  /** @param {number} sent  by the kernel's clock @param {number} received  by ours */
  hear(sent, received) {
    if (sent > 0) this.#ahead = Math.min(this.#ahead, received - sent);
  }

  /** Unix time in seconds by the kernel's clock. @param {number} now  epoch milliseconds by ours */
  seconds(now) {
    return (now - (this.#ahead === Infinity ? 0 : this.#ahead)) / 1000;
  }
}
