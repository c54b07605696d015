// @ts-check
// The live player: a stream's pictures, what the stream is doing, and the prompts that steer it.

/** @import { RenderProps } from "@anywidget/types" */
/** @import { Answer } from "./_shared.js" */
/** @import { Saved } from "./saves.js" */
/** @import { Picture } from "./screen.js" */
/** @import { Happening } from "./timeline.js" */
/** @import { PlayerState } from "./traits.js" */
import { Commands, Throttle, clock, every, keepKeys, listen, randomId, say } from "./_shared.js";
import { Direct } from "./direct.js";
import { dress, dressClocks } from "./face.js";
import { Floating } from "./floating.js";
import { furnish } from "./furniture.js";
import { KernelClock, KernelWatch } from "./kernel.js";
import { Gauge, Overlay } from "./overlay.js";
import { Poster, hidesPosters } from "./poster.js";
import { Saves } from "./saves.js";
import { Rate, Screen } from "./screen.js";
import { Sight } from "./sight.js";
import { Spectating } from "./spectating.js";
import { Steering } from "./steering.js";
import { Stills } from "./stills.js";
import { Timeline } from "./timeline.js";
import { equip } from "./toolbar.js";
import { Latest, TOLD, traitsOf } from "./traits.js";
import { Unseen } from "./unseen.js";
import { LEFT, OVER, fateOf, middleOf, pillOf, seenAgain, wayOf, whyOf } from "./words.js";

const ACKNOWLEDGE_EVERY = 250; // milliseconds, as all times here
const QUIET_AFTER = 3000;
const SEEN_EVERY = 1000; // of a view that has nothing to acknowledge
const NOTICE_FOR = 6000;
const KEYFRAME_EVERY = 1000;
const KEYFRAME_PATIENCE = 300; // coming into view brings a keyframe unasked
const PASS_WITHIN = 10_000;
const STILL_WITHIN = 5000;
const HAPPENINGS_WITHIN = 10_000;

/** @param {RenderProps<PlayerState>} props */
function render({ model, el }) {
  const closing = new AbortController();
  const { signal } = closing;
  const parts = furnish();
  const { root, canvas } = parts;
  const view = randomId();
  const latest = new Latest(model, TOLD, turn, signal);

  const rate = new Rate();
  const gauge = new Gauge();
  const kernelClock = new KernelClock();
  const keyframes = new Throttle(KEYFRAME_EVERY);
  const commands = new Commands(tell, signal);
  let painted = false; // this stream has shown a picture
  let ratio = 0; // width / height that the page makes room for
  let past = latest.get("applied_prompt") !== "" || latest.get("streaming");
  /** @type {number | null} */
  let released = null; // seconds that a kernel which went away took to release its session
  let leaving = false; // this view's user has left, or disconnected
  let noticeUntil = 0;
  let saidSeen = 0;
  let quiet = false;
  let known = false; // what happened before this view came
  let liveAt = 0; // when pictures came last, by the kernel's clock
  let stageSince = 0; // when the middle of the picture began to say what it says
  let quietSince = performance.now();
  let lastTick = performance.now();

  const screen = new Screen(canvas, {
    paint() {
      const now = performance.now();
      rate.count(now);
      gauge.painted(screen.seq, kernelClock.seconds(Date.now()) * 1000, now);
      if (painted && canvas.width / canvas.height === ratio) return;
      painted = past = true;
      update();
    },
    gap() {
      if (sight.visible && keyframes.allows(performance.now())) wantKeyframe();
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
    sight.look();
    update();
  });

  const sight = new Sight(root, () => floating.open, turnSight, signal);

  const steering = new Steering(
    parts,
    {
      // Starting may take a connection first, which only the kernel can open.
      async ask(verb, content, deadline) {
        // What has ended is the kernel's to open, although its socket may still be there.
        const ended = verb === "start" || (verb === "continue" && latest.get("resumes"));
        const way = direct.open && !ended ? direct.commands : commands;
        const answer = await way.ask(content, deadline);
        leaving = verb === "disconnect" && answer.ok;
        return answer;
      },
      streaming: () => latest.get("streaming"),
      change: update,
      notify,
    },
    signal,
  );
  steering.applied = latest.get("applied_prompt");

  const timeline = new Timeline(parts.timeline, (prompt) => steering.choose(prompt), signal);

  const overlay = new Overlay(parts.figures, parts.rows, (deadline) =>
    (direct.open ? direct.commands : commands).ask({ type: "traffic" }, deadline),
  );

  const saves = new Saves(
    parts,
    {
      ask: (content, deadline) => commands.ask(content, deadline),
      recording: () => model.get("recording_since") > 0,
      refused(answer) {
        steering.refused = answer;
        update();
      },
      change: update,
    },
    signal,
  );

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
        if (event.type === "happening") timeline.take([/** @type {any} */ (event)]);
        else latest.say(traitsOf(event));
        update();
      },
      change() {
        announce();
        update();
      },
    },
    signal,
  );

  const spectating = model.get("spectating")
    ? new Spectating(
        {
          ask: () => commands.ask({ type: "broadcast" }, PASS_WITHIN),
          hls: () => commands.ask({ type: "hls" }, PASS_WITHIN),
          picture(stream, seq, video) {
            alive();
            screen.showVideo(stream, seq, video);
          },
          change() {
            announce();
            update();
          },
        },
        signal,
      )
    : null;

  /** Whether the kernel or the sidecar has pictures to send: not while the browser has its own. */
  const sends = () => spectating === null || spectating.relayed !== "";

  const stills = new Stills(
    {
      ask: (newest) => commands.ask({ type: "decode", ...newest }, STILL_WITHIN),
      async show(picture, data) {
        kernelClock.hear(picture.sent, Date.now());
        gauge.arrived(/** @type {any} */ (picture), data.byteLength, performance.now());
        await screen.showImage(picture, data);
      },
      change: update,
    },
    signal,
  );

  const poster = new Poster(canvas, (jpeg, stream) => tell({ type: "poster", view, stream }, [jpeg]));
  root.append(hidesPosters(model.get("poster_id")));

  /** @param {Record<string, unknown>} content @param {ArrayBuffer[]} [buffers] */
  function tell(content, buffers) {
    try {
      model.send(content, undefined, buffers);
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
    } else if (message.type === "happening") {
      timeline.take([/** @type {any} */ (message)]);
    } else if (message.type === "recorded") {
      saves.recorded(/** @type {Saved} */ (/** @type {unknown} */ (message)));
      update();
    } else if (message.type === "seen_again") {
      notify(seenAgain(/** @type {any} */ (message)));
    }
  }

  /** Show a picture, whichever way it came. @param {Picture} picture @param {DataView} data */
  function take(picture, data) {
    const received = Date.now();
    alive();
    kernelClock.hear(picture.sent, received);
    gauge.arrived(picture, data.byteLength, performance.now());
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
    const { visible } = sight;
    spectating?.keep(visible && connected, now);
    direct.keep(visible && screen.able && connected && sends(), now);
    const watching = visible && latest.get("streaming");
    stills.keep(watching && !screen.able && sends());
    if (watching && screen.able && !direct.flowing && sends()) {
      tell({ type: "ack", view, stream: screen.stream, ...screen.acknowledge() });
    } else if (visible && connected && now - saidSeen > SEEN_EVERY) {
      // Nothing else can end unseen, and a kernel that hears nothing may be culled.
      saidSeen = now;
      tell({ type: "seen", view });
      direct.tell("seen"); // where the page has lost the Jupyter server
    }
    if (now > noticeUntil) parts.notice.hidden = true;
    if (visible) poster.keep(screen, latest.get("streaming"), now);
    const silent = watching && now - quietSince > QUIET_AFTER;
    if (silent && screen.able && sends() && keyframes.allows(now)) wantKeyframe();
    if (silent !== quiet) {
      quiet = silent;
      update();
    }
    measure(now);
    warn();
  }

  /** Ask once, when it is seen, for what happened before. */
  async function recall() {
    known = true;
    const answer = await commands.ask({ type: "happenings" }, HAPPENINGS_WITHIN);
    known = answer.ok;
    if (!answer.ok) return;
    const happenings = /** @type {Happening[]} */ (answer.happenings);
    timeline.take(happenings);
    const prompts = happenings.filter(({ kind }) => kind === "start" || kind === "interact");
    steering.remember(prompts.map(({ text }) => text));
  }

  /** Say in the page what is about to come of a stream that nobody sees. */
  function warn() {
    const { id } = /** @type {any} */ (model).widget_manager?.kernel ?? { id: "" };
    const [name, step] = [model.get("name"), model.get("unseen_step")];
    const left = model.get("unseen_due") - kernelClock.seconds(Date.now());
    const coming = step && reachable() ? { name, step, left } : null;
    unseen.tell(`${name} ${id}`, sight.visible, coming);
  }

  /** Show what changes by itself. @param {number} [time] */
  function measure(time = performance.now()) {
    const streaming = reachable() && latest.get("streaming");
    const fps = streaming ? rate.perSecond(time) : 0;
    const now = kernelClock.seconds(Date.now());
    root.dataset.fps = String(fps);
    const sent = screen.able ? (direct.flowing ? "direct" : "relay") : "JPEG";
    const path = spectating?.route || sent;
    root.dataset.path = path;
    root.dataset.way = screen.way;
    const relayed = spectating?.relayed ? `${spectating.relayed}: ` : "";
    parts.meter.title = `${relayed}${wayOf(path, screen.way, isSecureContext)}`;
    dressClocks(parts, latest, {
      reachable: reachable(),
      fps,
      path,
      again: steering.applied !== "",
      continuing: steering.asking("continue"),
      now,
    });
    if (!sight.visible) return;
    if (streaming) liveAt = now;
    timeline.draw(liveAt);
    const since = model.get("recording_since");
    say(parts.elapsed, since > 0 ? clock(Math.floor(now - since)) : "");
    const busy = parts.veil.dataset.busy === "true" && stageSince > 0;
    say(parts.why, busy ? whyOf(parts.stage.textContent ?? "", (time - stageSince) / 1000) : "");
    const size = `${canvas.width} × ${canvas.height}`;
    const way = screen.able && !spectating?.route ? `${path}, ${screen.way}` : path;
    const shown = { streaming, fps, size, way, able: screen.able };
    overlay.show(shown, gauge.figures(time), time);
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
      steering.applied = latest.get(name);
      past = true;
    }
    if (name !== "streaming") return;
    painted = false;
    past = true;
    steering.refused = stills.refused = null;
    quietSince = performance.now();
    rate.clear();
  }

  /** Bring the page in line with the traits and with what this view knows itself. */
  function update() {
    const [status, streaming] = [latest.get("status"), latest.get("streaming")];
    const shown = screen.stream !== null;
    const left = leaving || model.get("was_left");
    const over = spectating && status === "disconnected" ? (left ? LEFT : OVER) : "";
    const starting = steering.asking("start");
    const stage = latest.get("stage");
    const said = reachable()
      ? middleOf({ status, streaming, stage, quiet, starting, painted, shown, over })
      : { text: gone().text, busy: gone().tone === "busy" };
    if (parts.stage.textContent !== said.text) stageSince = performance.now();
    const size = model.get("orientation") === "portrait" ? [704, 1280] : [1280, 704];
    const [width, height] = painted || screen.seq > 0 ? [canvas.width, canvas.height] : size;
    ratio = width / height;
    root.style.setProperty("--odyssey-ratio", String(ratio));

    const [tone, words] = reachable()
      ? pillOf({ status, streaming, starting: starting || stage !== "", quiet, past })
      : [gone().tone, gone().pill];
    const failed = streaming ? stills.refused : null;
    const refused =
      steering.refused ?? failed ?? { error: latest.get("error"), hint: latest.get("hint") };
    // Pictures that need no kernel go on without it.
    const without = reachable() && kernel.fate !== "live";
    dress(parts, latest, {
      reachable: reachable(),
      pill: { tone, words },
      middle: said,
      shown,
      steering,
      saving: saves.busy,
      floats:
        floating.able && !spectating && screen.way === "WebCodecs" && (streaming || floating.open),
      problem: without && refused.error === "" ? { error: gone().text, hint: "" } : refused,
    });
    measure();
    warn();
  }

  /** Somebody can see this view now, or nobody can any more. */
  function turnSight() {
    quietSince = performance.now();
    keyframes.hold(quietSince + KEYFRAME_PATIENCE);
    rate.clear();
    gauge.clear();
    if (sight.visible) screen.resume();
    else {
      poster.take(screen);
      screen.pause();
    }
    if (sight.visible && !known) recall();
    announce();
    warn();
  }

  /** @param {Record<string, unknown>} [more] */
  function announce(more = {}) {
    const decodes = screen.able;
    const { visible } = sight;
    tell({ type: "view", view, visible, decodes, direct: direct.flowing || !sends(), ...more });
  }

  const figures = () => {
    overlay.toggle();
    measure();
    return overlay.open;
  };
  equip(parts, { figures, float: () => floating.toggle() }, signal);
  keepKeys(root, signal);
  listen(model, "msg:custom", hear, signal);
  listen(model, "change", heard, signal);
  listen(model, "change", update, signal);
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
    floating.close();
    screen.close();
    root.remove();
  };
}

export default { render };
