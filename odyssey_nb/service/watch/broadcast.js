// @ts-check
// Plays a broadcast in a video element: by WebRTC (WHEP), or where that fails by HLS. The page for
// spectators does so, and the Player of a notebook.

/**
 * What the service says of a broadcast; "failed" when it says nothing.
 *
 * @typedef {"live" | "ended" | "missing" | "refused" | "failed"} Standing
 */

/** @typedef {"WebRTC" | "HLS"} Route */

/**
 * @typedef {object} Address
 * @property {string} url  WHEP is spoken at its `/whep`
 * @property {string} token
 * @property {string} playlist  of HLS, with the token in it; empty where there is none
 */

const GATHER = 2000; // milliseconds to find candidates
const PLAYS_WITHIN = 8000; // until a picture is shown
const CHECK_EVERY = 1000; // between looks whether pictures still come
const STILL = 5; // looks without one, after which the line counts as broken
const HLS_TYPE = "application/vnd.apple.mpegurl";

/** @param {EventTarget} target @param {string} event @param {number} patience */
function happens(target, event, patience) {
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(false), patience);
    const done = () => (clearTimeout(late), resolve(true));
    target.addEventListener(event, done, { once: true });
  });
}

/** One broadcast in one video element, until `close`. */
export class BroadcastPlayer {
  /** Where it is. @type {Address} */
  at;
  #video;
  #loadHls;
  #stop = () => {};
  #closed = false;
  /** As the offer was answered. @type {Standing} */
  standing = "live";

  /**
   * @param {Address} at
   * @param {HTMLVideoElement} video
   * @param {() => Promise<any>} loadHls  the class of hls.js
   */
  constructor(at, video, loadHls) {
    this.at = at;
    this.#video = video;
    this.#loadHls = loadHls;
  }

  /** What the service says of it; "live" where it has no playlist that would tell. */
  async ask() {
    if (this.at.playlist === "") return /** @type {Standing} */ ("live");
    try {
      const response = await fetch(this.at.playlist, { cache: "no-store" });
      if (response.status === 401) return "refused";
      if (response.status === 404) return "missing";
      return (await response.text()).includes("#EXT-X-ENDLIST") ? "ended" : "live";
    } catch {
      return "failed";
    }
  }

  /**
   * Play it, and return which way; empty if it cannot be played.
   *
   * @param {boolean} [onlyHls]
   * @returns {Promise<Route | "">}
   */
  async play(onlyHls = false) {
    if (!onlyHls && (await this.#playWebRtc().catch(() => false))) return "WebRTC";
    if (this.#closed || this.standing !== "live" || this.at.playlist === "") return "";
    return (await this.#playHls().catch(() => false)) ? "HLS" : "";
  }

  /**
   * Return when no more pictures come, and what the service says then: "live" when only the line
   * is broken. A picture that stands still raises the question.
   *
   * @returns {Promise<Standing>}
   */
  async over() {
    const video = this.#video;
    let seen = -1;
    for (let still = 0; !this.#closed; still += 1) {
      await new Promise((resolve) => setTimeout(resolve, CHECK_EVERY));
      // Pictures, not time: that of a WebRTC stream goes on without any.
      const shown = video.getVideoPlaybackQuality().totalVideoFrames;
      if (shown !== seen && !video.ended) {
        seen = shown;
        still = 0;
        continue;
      }
      const state = await this.ask();
      if (state === "missing") return "ended";
      // What a player by HLS still has in store is shown before the end is.
      const played = video.srcObject || video.ended || state !== "ended";
      if (played && (state !== "live" || (video.srcObject && still >= STILL))) return state;
    }
    return "live";
  }

  /** Watch no more. */
  close() {
    this.#closed = true;
    this.#stop();
    this.#stop = () => {};
  }

  async #playWebRtc() {
    const video = this.#video;
    const peer = new RTCPeerConnection();
    let resource = "";
    const leave = () => {
      peer.close();
      video.srcObject = null;
      removeEventListener("pagehide", leave);
      if (resource) fetch(resource, { method: "DELETE", keepalive: true }).catch(() => {});
      resource = "";
    };
    this.#stop = leave;
    addEventListener("pagehide", leave);
    try {
      peer.addTransceiver("video", { direction: "recvonly" });
      peer.addEventListener("track", ({ streams }) => (video.srcObject = streams[0]));
      await peer.setLocalDescription();
      if (peer.iceGatheringState !== "complete") {
        await Promise.race([
          new Promise((resolve) =>
            peer.addEventListener("icecandidate", ({ candidate }) => candidate ?? resolve(null)),
          ),
          new Promise((resolve) => setTimeout(resolve, GATHER)),
        ]);
      }
      const address = `${this.at.url}/whep?token=${encodeURIComponent(this.at.token)}`;
      const response = await fetch(address, {
        method: "POST",
        headers: { "Content-Type": "application/sdp" },
        body: peer.localDescription?.sdp,
      });
      const location = response.headers.get("Location");
      resource = location ? new URL(location, response.url).href : "";
      if ([401, 403].includes(response.status)) this.standing = "refused";
      if (response.status === 404) this.standing = "missing";
      if (!response.ok || this.#closed) throw new Error(`${response.status}`);
      const playing = happens(video, "playing", PLAYS_WITHIN);
      await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
      video.play().catch(() => {});
      if (!(await playing) || this.#closed) throw new Error("no picture");
      return true;
    } catch {
      leave();
      return false;
    }
  }

  async #playHls() {
    const video = this.#video;
    const playing = happens(video, "playing", PLAYS_WITHIN);
    // hls.js where there are Media Source Extensions: Chromium's own player gives up on young lists.
    const Hls = await this.#loadHls();
    if (Hls.isSupported()) {
      const player = new Hls({ enableWorker: false, liveSyncDurationCount: 2 });
      player.loadSource(this.at.playlist);
      player.attachMedia(video);
      this.#stop = () => player.destroy();
    } else if (video.canPlayType(HLS_TYPE)) {
      video.src = this.at.playlist;
      this.#stop = () => video.removeAttribute("src");
    } else {
      return false;
    }
    video.play().catch(() => {});
    const plays = (await playing) && !this.#closed;
    if (!plays) this.#stop();
    return plays;
  }
}
