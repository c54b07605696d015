// @ts-check
// Prompt sliders: a sentence whose words are controls, and what the world made of it.

/** @import { RenderProps } from "@anywidget/types" */
import { element, keepKeys, listen, say } from "./_shared.js";

/** @typedef {string | number | boolean} Value */
/**
 * @typedef {object} Control  what the page knows of one control
 * @property {"choice" | "toggle" | "text" | "number"} kind
 * @property {string[]} [options]
 * @property {string} [word]
 * @property {number} [low]  of a number
 * @property {number} [grid]  the smallest difference between two values
 * @property {number} [step]  how many of those an arrow key moves
 * @property {number} [size]  how many there are from low to high
 * @property {boolean} [worded]  whether it reads as words
 */
/** @typedef {{ text: string, name?: string, table?: [number, string][] }} Piece */
/**
 * @typedef {object} Standing  how it stands with one stream
 * @property {string} on
 * @property {string} sent
 * @property {string} applied
 * @property {string} problem
 * @property {number} seconds
 * @property {boolean} pending
 */
/**
 * @typedef {object} SlidersState  the synced traits of sliders.py
 * @property {Piece[]} pieces
 * @property {Record<string, Control>} controls
 * @property {Record<string, Value>} values
 * @property {number} gesture
 * @property {Standing[]} standings
 * @property {Record<string, Record<string, Value>>} presets
 * @property {Record<string, Value>[]} done  what can be taken back
 * @property {Record<string, Value>[]} undone
 * @property {Record<string, Value>} start
 * @property {number} length
 * @property {number} played
 */
/** @typedef {Required<Pick<Control, "low" | "grid" | "step" | "size">>} Range */

const MOST_STEPS = 50; // that can be taken back
const PIXELS = 4; // that a drag goes for each step

/** The place of a value on its range, from 0. @param {Range} range @param {number} value */
export function placeOf({ low, grid, size }, value) {
  return Math.max(0, Math.min(size, Math.round((value - low) / grid)));
}

/** The value at a place. @param {Range} range @param {number} place */
export function valueAt({ low, grid, size }, place) {
  const whole = Math.max(0, Math.min(size, Math.round(place)));
  return Number((low + whole * grid).toFixed(10));
}

/** How far a gesture moves: Shift for more, Alt for less. @param {Range} range @param {{ shiftKey: boolean, altKey: boolean }} keys */
export function stride({ step }, { shiftKey, altKey }) {
  return shiftKey ? step * 10 : altKey ? Math.max(1, step / 10) : step;
}

/** How a number reads. @param {[number, string][]} table @param {number} place @param {number} value */
export function reading(table, place, value) {
  const known = table.findLast(([from]) => from <= place);
  return known ? known[1] : String(value);
}

/** @param {RenderProps<SlidersState>} props */
function render({ model, el }) {
  const closing = new AbortController();
  const { signal } = closing;
  const root = element("div", { class: "odyssey-sliders", "data-lm-suppress-shortcuts": "true" });
  const sentence = element("p", { class: "odyssey-sentence" });
  /** Bring each control up to date. @type {((values: Record<string, Value>) => void)[]} */
  const updates = [];

  let fresh = false; // a gesture has begun that has moved nothing yet

  function beginGesture() {
    fresh = true;
    model.set("gesture", model.get("gesture") + 1);
  }

  /** @param {Record<string, Value>} values */
  function move(values) {
    const before = model.get("values");
    const moved = { ...before, ...values };
    if (Object.keys(moved).every((name) => moved[name] === before[name])) return;
    if (fresh) {
      model.set("done", [...model.get("done"), before].slice(-MOST_STEPS));
      model.set("undone", []);
    }
    fresh = false;
    model.set("values", moved);
    model.save_changes();
  }

  /** @param {string} name @param {Value} value */
  function put(name, value) {
    move({ [name]: value });
  }

  /** Put all controls at once. @param {Record<string, Value>} values */
  function putAll(values) {
    beginGesture();
    move(values);
  }

  /** @param {"done" | "undone"} there @param {"done" | "undone"} back */
  function goBack(there, back) {
    const steps = model.get(there);
    if (steps.length === 0) return;
    beginGesture();
    model.set(back, [...model.get(back), model.get("values")]);
    model.set(there, steps.slice(0, -1));
    model.set("values", steps[steps.length - 1]);
    fresh = false;
    model.save_changes();
  }

  const takeBack = () => goBack("done", "undone");
  const giveBack = () => goBack("undone", "done");

  /** @param {Record<string, Record<string, Value>>} presets */
  function keepPresets(presets) {
    model.set("presets", presets);
    model.save_changes();
  }

  /** @param {string} name @param {Control} control */
  function choice(name, { options = [] }) {
    const made = element("select", { "aria-label": name, class: "odyssey-control" });
    for (const each of options) made.append(element("option", {}, each));
    made.addEventListener("change", () => {
      beginGesture();
      put(name, made.value);
    });
    updates.push((values) => (made.value = String(values[name])));
    return made;
  }

  /** @param {string} name @param {Control} control */
  function toggle(name, { word = "" }) {
    const made = element("button", { type: "button", class: "odyssey-control" }, word);
    made.addEventListener("click", () => {
      beginGesture();
      put(name, !model.get("values")[name]);
    });
    updates.push((values) => made.setAttribute("aria-pressed", String(Boolean(values[name]))));
    return made;
  }

  /** @param {string} name */
  function text(name) {
    const made = element("input", { "aria-label": name, class: "odyssey-control", spellcheck: "false" });
    const fit = () => (made.style.width = `${Math.max(3, made.value.length + 1)}ch`);
    made.addEventListener("input", fit);
    made.addEventListener("change", () => {
      beginGesture();
      put(name, made.value);
    });
    updates.push((values) => {
      if (document.activeElement !== made || made.value === values[name])
        made.value = String(values[name] ?? "");
      fit();
    });
    return made;
  }

  /** @param {string} name @param {Control} control @param {[number, string][]} table */
  function number(name, control, table) {
    const range = /** @type {Range} */ (control);
    const made = element("span", { role: "slider", tabindex: "0", "aria-label": name, class: "odyssey-control" });
    made.title = "Drag, type, or use the arrow keys; Shift for more, Alt for less.";
    const words = element("span", { class: "odyssey-words" });
    const field = element("input", { type: "text", inputmode: "decimal", "aria-label": `${name} as a number` });
    field.hidden = true;
    made.append(words, field);
    const place = () => placeOf(range, Number(model.get("values")[name]));

    function type(/** @type {string} */ first) {
      field.value = first;
      words.hidden = !(field.hidden = false);
      field.focus();
    }

    function typed(/** @type {boolean} */ taken) {
      const value = Number(field.value.replace(",", "."));
      words.hidden = !(field.hidden = true);
      if (!taken || field.value.trim() === "" || Number.isNaN(value)) return;
      beginGesture();
      put(name, valueAt(range, placeOf(range, value)));
    }

    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Enter" && event.key !== "Escape") return;
      typed(event.key === "Enter");
      made.focus();
    });
    field.addEventListener("blur", () => field.hidden || typed(true));
    made.addEventListener("keydown", (event) => {
      /** @type {Record<string, number>} */
      const ways = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };
      const way = ways[event.key];
      if (event.key === "Enter") type(String(model.get("values")[name]));
      else if (/^[-\d.,]$/.test(event.key) && !event.ctrlKey && !event.metaKey) type(event.key);
      else if (event.key === "Home" || event.key === "End") {
        beginGesture();
        put(name, valueAt(range, event.key === "Home" ? 0 : range.size));
      } else if (way) {
        if (!event.repeat) beginGesture();
        put(name, valueAt(range, place() + way * stride(range, event)));
      } else return;
      event.preventDefault();
    });
    made.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.target === field) return;
      event.preventDefault(); // no text is selected
      made.focus();
      made.setPointerCapture(event.pointerId);
      beginGesture();
      let at = place();
      let x = event.clientX;
      const dragging = new AbortController();
      made.addEventListener(
        "pointermove",
        (moved) => {
          at += ((moved.clientX - x) / PIXELS) * stride(range, moved);
          at = Math.max(0, Math.min(range.size, at));
          x = moved.clientX;
          put(name, valueAt(range, at));
        },
        { signal: dragging.signal },
      );
      for (const end of ["pointerup", "pointercancel"])
        made.addEventListener(end, () => dragging.abort(), { signal: dragging.signal });
    });
    made.addEventListener("dblclick", () => type(String(model.get("values")[name])));
    updates.push((values) => {
      const value = Number(values[name]);
      const at = placeOf(range, value);
      const read = reading(table, at, value);
      say(words, read);
      made.style.setProperty("--odyssey-share", String(at / range.size));
      made.setAttribute("aria-valuemin", String(range.low));
      made.setAttribute("aria-valuemax", String(valueAt(range, range.size)));
      made.setAttribute("aria-valuenow", String(value));
      made.setAttribute("aria-valuetext", read);
    });
    return made;
  }

  for (const { text: words, name, table } of model.get("pieces")) {
    sentence.append(words);
    if (!name) continue;
    const control = model.get("controls")[name];
    if (control.kind === "number") sentence.append(number(name, control, table ?? []));
    else sentence.append({ choice, toggle, text }[control.kind](name, control));
  }

  /** @param {string} words @param {string} label @param {() => void} action */
  function button(words, label, action) {
    const made = element("button", { type: "button", title: label, "aria-label": label }, words);
    made.addEventListener("click", action);
    return made;
  }

  const steer = button("Send", "send the prompt as it is", () =>
    model.send({ type: "steer" }),
  );
  const undo = button("↶", "take back", takeBack);
  const redo = button("↷", "take back what was taken back", giveBack);
  const reset = button("Reset", "put every control where it stood at first", () =>
    putAll(model.get("start")),
  );
  const play = button("▶", "play the automation", () =>
    model.send({ type: model.get("played") < 0 ? "play" : "stop" }),
  );
  const progress = element("progress", { "aria-label": "automation" });
  const presets = element("span", { class: "odyssey-presets" });
  const naming = element("input", { placeholder: "preset’s name", "aria-label": "name of the preset", maxlength: "40" });
  const save = button("+ preset", "remember where the controls stand", () => {
    naming.hidden = !(save.hidden = true);
    naming.focus();
  });
  naming.hidden = true;
  /** @param {boolean} taken */
  function named(taken) {
    if (naming.hidden) return;
    const name = naming.value.trim();
    if (taken && name) keepPresets({ ...model.get("presets"), [name]: model.get("values") });
    naming.value = "";
    save.hidden = !(naming.hidden = true);
  }
  naming.addEventListener("blur", () => named(true));
  naming.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === "Escape") named(event.key === "Enter");
  });
  const tools = element("div", { class: "odyssey-tools" });
  tools.append(steer, undo, redo, reset, play, progress, presets, save, naming);
  const standings = element("div", { class: "odyssey-standings", role: "status" });

  function showTools() {
    undo.disabled = model.get("done").length === 0;
    redo.disabled = model.get("undone").length === 0;
    const [length, played] = [model.get("length"), model.get("played")];
    play.hidden = length === 0;
    progress.hidden = played < 0;
    progress.max = Math.max(length, 1e-3);
    progress.value = Math.max(played, 0);
    say(play, played < 0 ? "▶" : "■");
    play.setAttribute("aria-label", played < 0 ? "play the automation" : "stop the automation");
  }

  function showPresets() {
    presets.replaceChildren(
      ...Object.entries(model.get("presets")).map(([name, values]) => {
        const made = button(name, `put the controls as in ${name}`, () => putAll(values));
        made.addEventListener("keydown", (event) => {
          const { [name]: gone, ...others } = model.get("presets");
          if (event.key === "Delete" && gone) keepPresets(others);
        });
        return made;
      }),
    );
  }

  /** Sent, and applied: the two differ while an answer is due, and where a service adds words. */
  function showStandings() {
    const all = model.get("standings");
    standings.replaceChildren(
      ...all.map(({ on, sent, applied, problem, seconds, pending }) => {
        const state = pending ? "pending" : problem ? "problem" : applied ? "applied" : "resting";
        const line = element("div", { class: "odyssey-standing", "data-state": state });
        if (all.length > 1) line.append(element("b", {}, on));
        if (pending) line.append(element("span", {}, "sending…"));
        else if (problem) line.append(element("span", {}, problem));
        else if (!applied) line.append(element("span", {}, "nothing is sent yet; move a control"));
        if (applied && !problem) {
          const when = pending ? "" : ` after ${seconds.toFixed(2)} s`;
          if (sent !== applied && !pending) line.append(element("span", { class: "odyssey-sent" }, `sent: ${sent}`));
          line.append(element("span", { class: "odyssey-applied" }, `applied${when}: ${applied}`));
        }
        return line;
      }),
    );
  }

  const update = () => updates.forEach((each) => each(model.get("values")));
  root.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement;
    if (typing || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    if (event.shiftKey) giveBack();
    else takeBack();
  });
  keepKeys(root, signal);
  listen(model, "change:values", update, signal);
  for (const name of ["done", "undone", "length", "played"])
    listen(model, `change:${name}`, showTools, signal);
  listen(model, "change:presets", showPresets, signal);
  listen(model, "change:standings", showStandings, signal);
  root.append(sentence, standings, tools);
  update();
  showTools();
  showPresets();
  showStandings();
  el.append(root);

  return () => {
    closing.abort();
    root.remove();
  };
}

export default { render };
