// @ts-check
// The live player: a stream's pictures, what the stream is doing, and the prompts that steer it.

/** @import { RenderProps } from "@anywidget/types" */
/** @import { Answer } from "./_shared.js" */
/** @import { Clocks } from "./limits.js" */
/** @import { Picture } from "./screen.js" */
import { Commands, Throttle, clock, every, keepKeys, listen, randomId, say } from "./_shared.js";
import { Direct, Latest, traitsOf } from "./direct.js";
import { Floating } from "./floating.js";
import { furnish } from "./furniture.js";
import { CLOCKS, endingOf, leftOf, meterOf } from "./limits.js";
import { KernelClock, KernelWatch } from "./kernel.js";
import { Rate, Screen } from "./screen.js";
import { Stills } from "./stills.js";
import { Unseen } from "./unseen.js";
import { UNDERWAY, fateOf, pillOf, seenAgain, wayOf } from "./words.js";

/**
 * @typedef {object} PlayerState  the synced traits of player.py
 * @property {string} status  where the connection stands
 * @property {boolean} streaming
 * @property {string} stage  what is going on until the first picture
 * @property {string} applied_prompt  the prompt the service says it follows
 * @property {string} error
 * @property {string} hint
 * @property {"landscape" | "portrait"} orientation
 * @property {number} stream_ends  Unix time in seconds; 0 when unknown
 * @property {number} connection_ends  Unix time in seconds; 0 when unknown
 * @property {number} idle_since  Unix time in seconds; 0 while there is a stream
 * @property {number} idle_ends  Unix time in seconds; 0 while there is a stream
 * @property {number} budget_ends  Unix time in seconds; 0 without one
 * @property {"" | "once" | "always"} extends  past how many limits the stream goes on
 * @property {boolean} at_limit  a limit has ended the last stream
 * @property {string} unseen_step  what is about to come of it that nobody sees it
 * @property {number} unseen_due  Unix time in seconds; 0 while nothing is
 * @property {string} name  the connection's
 * @property {string} target  the service, in words
 * @property {boolean} spectating  it is watched only, and steered elsewhere
 * @property {string} caption  a text of the user's own
 */

/** @typedef {"start" | "continue" | "interact" | "mark" | "end" | "disconnect"} Verb */

const ACKNOWLEDGE_EVERY = 250; // milliseconds, as all times here
const QUIET_AFTER = 3000;
const SEEN_EVERY = 1000; // of a view that has nothing to acknowledge
const NOTICE_FOR = 6000;
const KEYFRAME_EVERY = 1000;
const KEYFRAME_PATIENCE = 300; // coming into view brings a keyframe unasked
/** @type {Record<Verb, number>} */
const DEADLINES = {
  start: 80_000,
  continue: 35_000,
  interact: 10_000,
  mark: 8000,
  end: 10_000,
  disconnect: 10_000,
};

const PASS_WITHIN = 10_000;
const STILL_WITHIN = 5000;
// Directly too.
const SAID = ["status", "streaming", "stage", "applied_prompt", "error", "hint"];
const TOLD = [...SAID, "extends", "at_limit", ...CLOCKS];

const QUIET = "no picture for 3 s; the kernel or the service may be gone";
const OPEN = ["authenticating", "connecting", "connected", "reconnecting"];

/** @param {RenderProps<PlayerState>} props */
function render({ model, el }) {
  const closing = new AbortController();
  const { signal } = closing;
  const parts = furnish();
  const { root, canvas, input } = parts;
  const view = randomId();
  const latest = new Latest(model, TOLD, turn, signal);

  const rate = new Rate();
  const kernelClock = new KernelClock();
  const keyframes = new Throttle(KEYFRAME_EVERY);
  const commands = new Commands(tell, signal);
  /** @type {{ verb: Verb, prompt: string }[]} */
  let pending = [];
  /** @type {Answer | null} */
  let refused = null; // the last answer, when it was an error
  let applied = latest.get("applied_prompt");
  let painted = false; // this stream has shown a picture
  let ratio = 0; // width / height that the page makes room for
  let past = latest.get("applied_prompt") !== "" || latest.get("streaming");
  /** @type {number | null} */
  let released = null; // seconds that a kernel which went away took to release its session
  let noticeUntil = 0;
  let saidSeen = 0;
  let quiet = false;
  let near = false; // on the visible part of the page
  let visible = false;
  let quietSince = performance.now();
  let lastTick = performance.now();

  const screen = new Screen(canvas, {
    paint() {
      rate.count(performance.now());
      if (painted && canvas.width / canvas.height === ratio) return;
      painted = past = true;
      update();
    },
    gap() {
      if (visible && keyframes.allows(performance.now())) wantKeyframe();
    },
    decoded(frame) {
      floating.show(frame);
    },
    turn() {
      announce();
      update();
    },
  });

  const floating = new Floating(document, () => {
    parts.float.setAttribute("aria-pressed", String(floating.open));
    look();
    update();
  });

  const unseen = new Unseen(
    root,
    {
      keep() {
        tell({ type: "keep", view });
        direct.tell("seen"); // where the page has lost the Jupyter server
      },
      show: () => parts.screen.focus({ preventScroll: true }),
    },
    signal,
  );

  const kernel = new KernelWatch(
    model,
    {
      change() {
        direct.renew();
        update();
      },
      hear(content) {
        if (content.type !== "farewell" || content.name !== model.get("name")) return;
        released = content.released;
        update();
      },
    },
    signal,
  );

  const direct = new Direct(
    {
      name: () => model.get("name"),
      ask: () => commands.ask({ type: "direct", origin: location.origin }, PASS_WITHIN),
      picture: take,
      event(event) {
        alive();
        latest.say(traitsOf(event));
        update();
      },
      change() {
        announce();
        update();
      },
    },
    signal,
  );

  const stills = new Stills(
    {
      ask: (newest) => commands.ask({ type: "still", ...newest }, STILL_WITHIN),
      async show(picture, data) {
        kernelClock.hear(picture.sent, Date.now());
        await screen.showImage(picture, data);
      },
    },
    signal,
  );

  /** @param {Record<string, unknown>} content */
  function tell(content) {
    try {
      model.send(content);
      return true;
    } catch {
      return false; // a comm whose kernel is gone refuses to send
    }
  }

  /** @param {{ type: string } & Record<string, any>} message @param {DataView[]} buffers */
  function hear(message, buffers) {
    heard();
    if (message.type === "picture") {
      take(/** @type {Picture} */ (/** @type {unknown} */ (message)), buffers[0]);
    } else if (message.type === "answer") {
      const answer = /** @type {Answer & { id: string }} */ (/** @type {unknown} */ (message));
      commands.settle({ ...answer, buffers });
    } else if (message.type === "seen_again") {
      notify(seenAgain(/** @type {any} */ (message)));
    }
  }

  /** Show a picture, whichever way it came. @param {Picture} picture @param {DataView} data */
  function take(picture, data) {
    const received = Date.now();
    alive();
    kernelClock.hear(picture.sent, received);
    screen.show(picture, data, received);
    // The timers of a page in the background are slowed down; pictures are not.
    if (performance.now() - lastTick > 2 * ACKNOWLEDGE_EVERY) tick();
  }

  function wantKeyframe() {
    if (direct.flowing) direct.tell("want_keyframe");
    else tell({ type: "need_keyframe", view });
  }

  /** The kernel gave a sign of life. */
  function heard() {
    kernel.heard();
    alive();
  }

  /** Kernel or sidecar gave a sign of life. */
  function alive() {
    quietSince = performance.now();
    if (!quiet) return;
    quiet = false;
    update();
  }

  /** Say something in passing. @param {string} text */
  function notify(text) {
    say(parts.notice, text);
    parts.notice.hidden = false;
    noticeUntil = performance.now() + NOTICE_FOR;
  }

  function tick() {
    const now = performance.now();
    // After a sleep nothing was heard because nobody listened.
    if (now - lastTick > 4 * ACKNOWLEDGE_EVERY) quietSince = now;
    lastTick = now;
    const connected = latest.get("status") === "connected";
    direct.keep(visible && screen.able && connected, now);
    const watching = visible && latest.get("streaming");
    stills.keep(watching && !screen.able);
    if (watching && screen.able && !direct.flowing) {
      tell({ type: "ack", view, stream: screen.stream, ...screen.acknowledge() });
    } else if (visible && connected && now - saidSeen > SEEN_EVERY) {
      // Nothing else can end unseen, and a kernel that hears nothing may be culled.
      saidSeen = now;
      tell({ type: "seen", view });
      direct.tell("seen"); // where the page has lost the Jupyter server
    }
    if (now > noticeUntil) parts.notice.hidden = true;
    const silent = watching && now - quietSince > QUIET_AFTER;
    if (silent && screen.able && keyframes.allows(now)) wantKeyframe();
    if (silent !== quiet) {
      quiet = silent;
      update();
    }
    measure();
    warn();
  }

  /** Say in the page what is about to come of a stream that nobody sees. */
  function warn() {
    const { id } = /** @type {any} */ (model).widget_manager?.kernel ?? { id: "" };
    const [name, step] = [model.get("name"), model.get("unseen_step")];
    const left = model.get("unseen_due") - kernelClock.seconds(Date.now());
    const coming = step && reachable() ? { name, step, left } : null;
    unseen.tell(`${name} ${id}`, visible, coming);
  }

  function measure() {
    const streaming = reachable() && latest.get("streaming");
    const fps = streaming ? rate.perSecond(performance.now()) : 0;
    const now = kernelClock.seconds(Date.now());
    root.dataset.fps = String(fps);
    const path = screen.able ? (direct.flowing ? "direct" : "relay") : "JPEG";
    root.dataset.path = path;
    root.dataset.way = screen.way;
    const clocks = clocksNow();
    const goesOn = latest.get("extends") !== "";
    say(parts.meter, meterOf({ streaming, fps, path, goesOn }, clocks, now));
    parts.meter.title = wayOf(path, screen.way, isSecureContext);
    parts.meter.hidden = parts.meter.textContent === "";
    const open = reachable() && latest.get("status") === "connected" && !model.get("spectating");
    const state = { streaming, again: applied !== "", atLimit: latest.get("at_limit"), goesOn };
    const ending = open ? endingOf(state, clocks, now) : null;
    parts.ending.hidden = ending === null;
    if (ending) say(parts.aboutToEnd, ending.words);
    say(parts.aloud, ending ? ending.aloud : "");
    parts.goOn.hidden = !ending?.offer;
    parts.goOn.disabled = pending.some(({ verb }) => verb === "continue");
    parts.meter.classList.toggle("odyssey-soon", ending !== null);
    const named = model.get("spectating") ? "watching" : model.get("name");
    say(parts.source, [named, model.get("target")].filter(Boolean).join(" · "));
    say(parts.left, leftOf(clocks, now));
  }

  /** What ends when, as far as it is known to. */
  function clocksNow() {
    const known = reachable() && latest.get("status") === "connected";
    const clocks = CLOCKS.map((name) => [name, known ? latest.get(name) : 0]);
    return /** @type {Clocks} */ (Object.fromEntries(clocks));
  }

  /** What the middle of the picture says, and whether something is under way. */
  function middle() {
    const [status, streaming] = [latest.get("status"), latest.get("streaming")];
    if (!reachable()) return { text: gone().text, busy: gone().tone === "busy" };
    if (latest.get("stage")) return { text: latest.get("stage"), busy: true };
    if (quiet) return { text: QUIET, busy: false };
    if (pending.some(({ verb }) => verb === "start")) return { text: "starting…", busy: true };
    if (UNDERWAY.includes(status)) return { text: "connecting…", busy: true };
    if (streaming && !painted) return { text: "waiting for the first picture…", busy: true };
    if (screen.stream !== null) return { text: "", busy: false };
    if (model.get("spectating")) return { text: "the broadcast has ended", busy: false };
    const again = status === "failed" ? "try again" : "start a stream";
    return { text: `type a prompt to ${again}`, busy: false };
  }

  /** Whether anybody hears what is typed here. */
  function reachable() {
    return direct.open || kernel.fate === "live";
  }

  function gone() {
    return fateOf(kernel.fate, released);
  }

  /** Something about the connection is another. @param {string} name */
  function turn(name) {
    if (name === "status") direct.renew();
    if (name === "applied_prompt") {
      applied = latest.get(name);
      past = true;
    }
    if (name !== "streaming") return;
    painted = false;
    past = true;
    refused = null;
    quietSince = performance.now();
    rate.clear();
  }

  /** Bring the page in line with the traits and with what this view knows itself. */
  function update() {
    const [status, streaming] = [latest.get("status"), latest.get("streaming")];
    const { text, busy } = middle();
    const asking = (/** @type {Verb} */ verb) => pending.some((command) => command.verb === verb);
    const starting = asking("start") || latest.get("stage") !== "";

    root.dataset.status = status;
    root.dataset.streaming = String(streaming);
    root.dataset.orientation = model.get("orientation");
    root.setAttribute("aria-label", `Odyssey player ${model.get("name")}`.trim());
    const size = model.get("orientation") === "portrait" ? [704, 1280] : [1280, 704];
    const [width, height] = painted || screen.seq > 0 ? [canvas.width, canvas.height] : size;
    ratio = width / height;
    root.style.setProperty("--odyssey-ratio", String(ratio));

    const [tone, words] = reachable()
      ? pillOf({ status, streaming, starting, quiet, past })
      : [gone().tone, gone().pill];
    parts.pill.dataset.tone = tone;
    say(parts.words, words);
    say(parts.stage, text);
    parts.veil.dataset.busy = String(busy);
    parts.veil.hidden = text === "" && screen.stream !== null;
    canvas.dataset.dim = String(text !== "" || !streaming);

    const sent = pending.findLast(({ prompt }) => prompt !== "");
    say(parts.sending, sent ? "sending…" : "");
    say(parts.prompt, sent ? sent.prompt : applied);
    parts.prompt.title = sent ? sent.prompt : applied;
    canvas.setAttribute("aria-label", applied ? `live picture: ${applied}` : "live picture");
    say(parts.caption, model.get("caption"));
    parts.caption.hidden = model.get("caption") === "";

    const spectating = model.get("spectating");
    for (const part of [input, parts.send, parts.end]) part.hidden = spectating;
    say(parts.disconnect, spectating ? "Leave" : "Disconnect");
    const leaves = spectating ? "watch no more" : "disconnect and free the streamer";
    parts.disconnect.setAttribute("aria-label", leaves);
    say(parts.send, streaming ? "Send" : "Start");
    parts.send.setAttribute("aria-label", streaming ? "send the prompt" : "start a stream");
    const closed = !reachable() || asking("start") || UNDERWAY.includes(status);
    parts.send.disabled = closed || status === "reconnecting";
    parts.float.hidden = !(floating.able && screen.way === "WebCodecs" && (streaming || floating.open));
    parts.mark.hidden = spectating || !streaming;
    parts.mark.disabled = !reachable() || status !== "connected" || asking("mark");
    parts.end.disabled = !reachable() || !streaming || asking("end");
    parts.disconnect.disabled = !reachable() || !OPEN.includes(status) || asking("disconnect");

    const known = refused ?? { error: latest.get("error"), hint: latest.get("hint") };
    // Pictures that need no kernel go on without it.
    const without = reachable() && kernel.fate !== "live";
    const problem = without && known.error === "" ? { error: gone().text, hint: "" } : known;
    say(parts.error, problem.error);
    say(parts.hint, problem.error ? problem.hint : "");
    parts.problem.classList.toggle("odyssey-empty", problem.error === "");
    measure();
    warn();
  }

  /** @param {Verb} verb @param {string} [prompt] */
  async function command(verb, prompt = "") {
    const asked = { verb, prompt };
    pending = [...pending, asked];
    refused = null;
    update();
    const content = prompt ? { type: verb, prompt } : { type: verb };
    // Starting may take a connection first, which only the kernel can open.
    const way = direct.open && verb !== "start" ? direct.commands : commands;
    const answer = await way.ask(content, DEADLINES[verb]);
    pending = pending.filter((other) => other !== asked);
    if (signal.aborted) return;
    if (answer.ok) {
      applied = answer.prompt || applied;
      if (verb === "mark") notify(`marked at ${clock(answer.time)}`);
    } else {
      refused = answer.error ? answer : { ...answer, error: `${verb} was refused` };
      if (prompt && input.value === "") input.value = prompt;
    }
    update();
  }

  /** Tell the kernel whether anybody can see this view, when that changed. */
  function look() {
    const here = document.visibilityState === "visible" && (near || root.matches(":fullscreen"));
    const shown = here || floating.open;
    if (shown === visible) return;
    visible = shown;
    quietSince = performance.now();
    keyframes.hold(quietSince + KEYFRAME_PATIENCE);
    rate.clear();
    if (shown) screen.resume();
    else screen.pause();
    announce();
    warn();
  }

  /** @param {Record<string, unknown>} [more] */
  function announce(more = {}) {
    const decodes = screen.able;
    tell({ type: "view", view, visible, decodes, direct: direct.flowing, ...more });
  }

  parts.form.addEventListener(
    "submit",
    (event) => {
      event.preventDefault();
      const prompt = input.value.trim();
      if (prompt === "" || parts.send.disabled) return;
      input.value = "";
      command(latest.get("streaming") ? "interact" : "start", prompt);
    },
    { signal },
  );
  parts.goOn.addEventListener("click", () => command("continue"), { signal });
  parts.mark.addEventListener("click", () => command("mark"), { signal });
  parts.end.addEventListener("click", () => command("end"), { signal });
  parts.disconnect.addEventListener("click", () => command("disconnect"), { signal });
  parts.expand.addEventListener(
    "click",
    () => (root.matches(":fullscreen") ? document.exitFullscreen() : root.requestFullscreen()),
    { signal },
  );
  parts.float.addEventListener("click", () => floating.toggle(), { signal });
  parts.expand.hidden = !document.fullscreenEnabled;
  keepKeys(root, signal);
  root.addEventListener(
    "keydown",
    (event) => {
      const plain = !(event.ctrlKey || event.metaKey || event.altKey || event.repeat);
      if (event.key !== "m" || !plain || event.target === input) return;
      if (!parts.mark.hidden && !parts.mark.disabled) command("mark");
    },
    { signal },
  );

  listen(model, "msg:custom", hear, signal);
  listen(model, "change", heard, signal);
  listen(model, "change", update, signal);
  const observer = new IntersectionObserver(
    (entries) => {
      near = entries[entries.length - 1].isIntersecting;
      look();
    },
    { threshold: 0 },
  );
  observer.observe(root);
  document.addEventListener("visibilitychange", look, { signal });
  document.addEventListener("fullscreenchange", look, { signal });
  window.addEventListener("pagehide", () => announce({ visible: false, gone: true }), { signal });
  // A page that comes back from the browser's cache was never really gone.
  window.addEventListener("pageshow", (event) => event.persisted && announce(), { signal });
  every(ACKNOWLEDGE_EVERY, tick, signal);

  screen.pause();
  update();
  announce();
  el.append(root);

  return () => {
    announce({ visible: false, gone: true });
    closing.abort();
    observer.disconnect();
    floating.close();
    screen.close();
    root.remove();
  };
}

export default { render };
