// @ts-check
// Shows a broadcast to somebody without a notebook: by WebRTC, or where that fails by HLS.

/** @typedef {"connecting" | "live" | "ended" | "missing" | "refused" | "failed"} State */

const GATHER = 2000; // ms to find candidates
const PATIENCE = 8000; // ms until a picture is shown
const CHECK = 1000; // ms between looks whether pictures still come
const HLS = "application/vnd.apple.mpegurl";

/** What each state is called, and says. @type {Record<State, [string, string, string]>} */
const WORDS = {
  connecting: ["Connecting", "Connecting…", "The first picture is on its way."],
  live: ["Live", "", ""],
  ended: ["Ended", "The stream has ended", "Thank you for watching."],
  missing: ["Not found", "There is no such stream", "It has ended, or the link is incomplete."],
  refused: ["No access", "This link is not valid", "Ask whoever sent it for a new one."],
  failed: ["No picture", "The stream cannot be shown", "The connection or this browser does not allow it."],
};

/** @template {Element} E @param {string} selector @param {new () => E} kind @returns {E} */
function find(selector, kind) {
  const found = document.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`no ${selector}`);
  return found;
}

const main = find("main", HTMLElement);
const video = find("video", HTMLVideoElement);
const again = find(".again", HTMLButtonElement);

const query = new URLSearchParams(location.search);
const token = query.get("token") ?? "";
const stream = `/live/${location.pathname.split("/").at(-1)}`;
const playlist = `${stream}/index.m3u8?token=${encodeURIComponent(token)}`;

/** @param {State} state @param {string} [way] */
function show(state, way = "") {
  const [badge, title, text] = WORDS[state];
  main.dataset.state = state;
  find(".badge b", HTMLElement).textContent = badge;
  find("h1", HTMLElement).textContent = title;
  find("p", HTMLElement).textContent = text;
  find(".way", HTMLElement).textContent = way;
  again.hidden = state !== "failed";
  document.title = `${badge} · Odyssey`;
}

/** What the service says of the broadcast. @returns {Promise<State>} */
async function ask() {
  try {
    const response = await fetch(playlist, { cache: "no-store" });
    if (response.status === 401) return "refused";
    if (response.status === 404) return "missing";
    return (await response.text()).includes("#EXT-X-ENDLIST") ? "ended" : "live";
  } catch {
    return "failed";
  }
}

/** @param {EventTarget} target @param {string} event @param {number} patience */
function happens(target, event, patience) {
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(false), patience);
    const done = () => (clearTimeout(late), resolve(true));
    target.addEventListener(event, done, { once: true });
  });
}

/** Play by WebRTC (WHEP); returns whether it does. */
async function playWebRtc() {
  const peer = new RTCPeerConnection();
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
  const response = await fetch(`${stream}/whep?token=${encodeURIComponent(token)}`, {
    method: "POST",
    headers: { "Content-Type": "application/sdp" },
    body: peer.localDescription?.sdp,
  });
  const resource = response.headers.get("Location");
  const leave = () => {
    peer.close();
    video.srcObject = null;
    if (resource) fetch(resource, { method: "DELETE", keepalive: true }).catch(() => {});
  };
  try {
    if (!response.ok) throw new Error(`${response.status}`);
    const playing = happens(video, "playing", PATIENCE);
    await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
    if (!(await playing)) throw new Error("no picture");
    addEventListener("pagehide", leave);
    return true;
  } catch {
    leave();
    return false;
  }
}

/** Play by HLS; returns whether it does. */
async function playHls() {
  const playing = happens(video, "playing", PATIENCE);
  // hls.js where there are Media Source Extensions: Chromium's own player gives up on young lists.
  const { default: Hls } = await import("./hls.js");
  let stop = () => video.removeAttribute("src");
  if (Hls.isSupported()) {
    const player = new Hls({ enableWorker: false, liveSyncDurationCount: 2 });
    player.loadSource(playlist);
    player.attachMedia(video);
    stop = () => player.destroy();
  } else if (video.canPlayType(HLS)) {
    video.src = playlist;
  } else {
    return false;
  }
  video.play().catch(() => {});
  const plays = await playing;
  if (!plays) stop();
  return plays;
}

/** Return when the broadcast is over, and how; a picture that stands still raises the question. */
async function end() {
  let seen = -1;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, CHECK));
    // Pictures, not time: that of a WebRTC stream goes on without any.
    const shown = video.getVideoPlaybackQuality().totalVideoFrames;
    if (shown !== seen && !video.ended) {
      seen = shown;
      continue;
    }
    const state = await ask();
    if (state === "missing") return "ended";
    // What a player by HLS still has in store is shown before the end is.
    if (state !== "live" && (video.srcObject || video.ended || state !== "ended")) return state;
  }
}

async function watch() {
  show("connecting");
  const state = await ask();
  if (state !== "live") return show(state);
  if (!query.has("hls") && (await playWebRtc().catch(() => false))) show("live", "WebRTC");
  else if (await playHls().catch(() => false)) show("live", "HLS, a few seconds behind");
  else return show("failed");
  show(/** @type {State} */ (await end()));
}

function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else main.requestFullscreen();
}

find(".full", HTMLButtonElement).addEventListener("click", fullscreen);
video.addEventListener("dblclick", fullscreen);
addEventListener("keydown", ({ key, ctrlKey, metaKey, altKey }) => {
  if (key === "f" && !ctrlKey && !metaKey && !altKey && main.dataset.state === "live") fullscreen();
});
again.addEventListener("click", watch);
watch();
