// @ts-check
// Pictures to keep: a snapshot, the last seconds as a clip, and a recording.

/** @import { Answer } from "./_shared.js" */
/** @import { Parts } from "./furniture.js" */
import { clock, download, say } from "./_shared.js";
import { fetchWhole } from "./film.js";

const SAVE_WITHIN = 30_000; // milliseconds

/** @typedef {{ file: string, seconds: number, size: number, error: string }} Saved */

/** A size in words. @param {number} bytes */
export function megabytes(bytes) {
  return bytes < 1e5 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/**
 * The name of a file that the browser saves, by the time of day.
 *
 * @param {string} kind
 * @param {Date} when
 */
export function fileName(kind, when) {
  const pad = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const day = [when.getFullYear(), pad(when.getMonth() + 1), pad(when.getDate())].join("");
  const time = [when.getHours(), when.getMinutes(), when.getSeconds()].map(pad).join("");
  return `odyssey-${kind}-${day}-${time}.png`;
}

/** Does what the buttons say, and tells under the picture which file it made. */
export class Saves {
  busy = false; // with a clip, or with beginning or ending a recording
  #file = "";
  #fetching = false;
  #parts;
  #on;
  #signal;

  /**
   * @param {Parts} parts
   * @param {object} on
   * @param {(content: Record<string, unknown>, deadline: number) => Promise<Answer>} on.ask  the kernel
   * @param {() => boolean} on.recording
   * @param {(answer: Answer) => void} on.refused
   * @param {() => void} on.change
   * @param {AbortSignal} signal
   */
  constructor(parts, on, signal) {
    this.#parts = parts;
    this.#on = on;
    this.#signal = signal;
    parts.snapshot.addEventListener("click", () => this.#snapshot(), { signal });
    parts.clip.addEventListener("click", () => this.#clip(), { signal });
    parts.record.addEventListener("click", () => this.#record(), { signal });
    parts.file.addEventListener("click", () => this.#fetch(), { signal });
  }

  /** A recording is over, whoever ended it. @param {Saved} message */
  recorded(message) {
    if (message.file) this.#tell("recording", message);
    else {
      const hint = "Record again while pictures come.";
      this.#on.refused({ ok: false, error: message.error, hint, prompt: "" });
    }
  }

  async #snapshot() {
    /** @type {Blob | null} */
    const blob = await new Promise((done) => this.#parts.canvas.toBlob(done, "image/png"));
    if (blob === null || this.#signal.aborted) return;
    const name = fileName("snapshot", new Date());
    download(blob, name);
    this.#say(`snapshot downloaded: ${name}`, "");
  }

  async #clip() {
    const seconds = Number(this.#parts.seconds.value);
    const answer = await this.#ask({ type: "clip", seconds });
    if (answer.ok) this.#tell("clip", /** @type {Answer & Saved} */ (answer));
  }

  #record() {
    return this.#ask({ type: this.#on.recording() ? "stop_recording" : "record" });
  }

  /** @param {Record<string, unknown>} content */
  async #ask(content) {
    this.busy = true;
    this.#on.change();
    const answer = await this.#on.ask(content, SAVE_WITHIN);
    this.busy = false;
    if (this.#signal.aborted) return answer;
    if (answer.ok) this.#on.change();
    else this.#on.refused(answer);
    return answer;
  }

  /** Say what was saved, with a link to it. @param {string} kind @param {Saved} saved */
  #tell(kind, { file, seconds, size, error }) {
    const length = seconds < 60 ? `${seconds.toFixed(1)} s` : clock(Math.floor(seconds));
    this.#say(`${kind} saved${error ? `, ${error}` : ""}: ${length}, ${megabytes(size)},`, file);
  }

  /** @param {string} words @param {string} file */
  #say(words, file) {
    this.#file = file;
    say(this.#parts.savedWords, words);
    say(this.#parts.file, file);
    this.#parts.file.hidden = file === "";
    this.#parts.saved.hidden = false;
  }

  /** Bring the file here, which lies where the kernel is. */
  async #fetch() {
    if (this.#fetching || this.#file === "") return;
    this.#fetching = true;
    const file = this.#file;
    try {
      const part = async (/** @type {number} */ start) => {
        const answer = await this.#on.ask({ type: "file", file, start }, SAVE_WITHIN);
        if (!answer.ok) throw answer;
        return { data: answer.buffers[0], size: answer.size };
      };
      download(await fetchWhole(part, () => {}, this.#signal), file);
    } catch (problem) {
      if (this.#signal.aborted) return;
      const refused = problem instanceof Error ? { error: problem.message, hint: "" } : problem;
      this.#on.refused(/** @type {Answer} */ (refused));
    } finally {
      this.#fetching = false;
    }
  }
}
