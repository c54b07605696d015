// @ts-check
// What gallery and clip share: a video that comes in parts, and what happened in it.

/** @import { AnyModel } from "@anywidget/types" */
/** @import { Answer } from "./_shared.js" */
import { Commands, listen } from "./_shared.js";

/**
 * @typedef {object} Happening  a line of a recording's events
 * @property {number} time  seconds of the stream
 * @property {string} type
 * @property {string} [applied_prompt]
 * @property {string} [text]
 * @property {string} [reason]
 */

/**
 * What asks the kernel, and throws what it refuses; buffers come as `data`.
 *
 * @param {Pick<AnyModel<any>, "on" | "off" | "send">} model
 * @param {number} deadline  milliseconds for each answer
 * @param {AbortSignal} signal
 * @returns {(content: Record<string, unknown>) => Promise<Answer>}
 */
export function asking(model, deadline, signal) {
  const commands = new Commands((content) => {
    try {
      model.send(content);
      return true;
    } catch {
      return false;
    }
  }, signal);
  listen(
    model,
    "msg:custom",
    (/** @type {any} */ message, /** @type {DataView[]} */ buffers) => {
      if (message.type === "answer") commands.settle({ ...message, data: buffers[0] });
    },
    signal,
  );
  return async (content) => {
    const answer = await commands.ask(content, deadline);
    if (!answer.ok) throw new Error([answer.error, answer.hint].filter(Boolean).join(". "));
    return answer;
  };
}

/** What happened, in words. @param {Happening} event */
export function happened({ type, applied_prompt, text, reason }) {
  if (type === "mark") return `⚑ ${text ?? ""}`;
  if (type === "end") return `ended (${(reason ?? "").replaceAll("_", " ")})`;
  return applied_prompt ?? type;
}

/**
 * Fetch a recording part after part; each is asked for once the one before is here.
 *
 * @param {(start: number) => Promise<{ data: DataView, size: number }>} part
 * @param {(fraction: number) => void} progress
 * @param {AbortSignal} signal  ends it with an error
 */
export async function fetchWhole(part, progress, signal) {
  /** @type {DataView<ArrayBuffer>[]} */
  const parts = [];
  for (let start = 0, size = Infinity; start < size; ) {
    const answer = await part(start);
    signal.throwIfAborted();
    if (answer.data.byteLength === 0) throw new Error("the recording is shorter than it says");
    parts.push(/** @type {DataView<ArrayBuffer>} */ (answer.data));
    start += answer.data.byteLength;
    size = answer.size;
    progress(start / size);
  }
  return new Blob(parts, { type: "video/mp4" });
}
