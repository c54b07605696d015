// @ts-check
// The line from a participant's page to the crowd: who one is, what one does, what everybody sees.

/** @typedef {{ id: string, prompt: string, by: string[], names: string[], votes: number }} Waiting */

/** @typedef {{ prompt: string, names: string[], votes: number }} Done */

/**
 * @typedef {object} Board  what everybody sees
 * @property {"queue" | "vote" | "round_robin" | "moderated"} mode
 * @property {number} every  seconds
 * @property {number} longest  characters of a proposal
 * @property {Waiting[]} waiting
 * @property {number} more
 * @property {Waiting} [applying]
 * @property {Done[]} applied  the newest first
 * @property {number} [left]  seconds until the next is applied
 * @property {boolean} paused
 * @property {number} people
 */

/** @typedef {{ kind: string, text: string, proposal: string }} Told */

/**
 * @typedef {object} Ticket  what lets this page in
 * @property {string} me  a token of one's own; empty until one has joined
 * @property {string} join  that which all share; empty where one was invited by oneself
 * @property {string} name
 */

/**
 * @typedef {object} Heard  what is called when something comes
 * @property {(me: string, name: string) => void} entered
 * @property {(stream: string, token: string) => void} stream  to be shown
 * @property {(board: Board) => void} board
 * @property {(told: Told) => void} told
 * @property {(away: boolean) => void} away  whether the notebook has lost touch
 * @property {(reason: string) => void} refused
 * @property {(reason: string) => void} over
 * @property {() => void} lost  the line broke, and is being repaired
 */

const HERE_EVERY = 15_000; // milliseconds
const AGAIN_FIRST = 500; // milliseconds until a broken line is opened again, doubled each time
const AGAIN_MOST = 8000;
const GIVE_UP = 90_000; // milliseconds without a line

/** What is kept of a link, so that a page that is loaded again is still theirs. @param {string} link */
const key = (link) => `odyssey crowd ${link}`;

/**
 * What lets the page at `place` in; null where it only watches. What is after the # goes nowhere.
 *
 * @param {Location} place
 * @param {string} stream
 * @returns {Ticket | null}
 */
export function ticketOf(place, stream) {
  const given = new URLSearchParams(place.hash.slice(1));
  const [me, join, name] = ["me", "join", "name"].map((each) => given.get(each) ?? "");
  if (me) return { me, join: "", name: name || recall(me) };
  return join ? { me: recall(stream), join, name } : null;
}

/** @param {string} link */
function recall(link) {
  try {
    return localStorage.getItem(key(link)) ?? "";
  } catch {
    return ""; // storage is barred
  }
}

/** @param {string} link @param {string} what */
function remember(link, what) {
  try {
    localStorage.setItem(key(link), what);
  } catch {
    // then a page that is loaded again begins anew
  }
}

/** An open line, which repairs itself until it is over. */
export class CrowdLine {
  #stream;
  #ticket;
  #on;
  /** @type {WebSocket | null} */
  #socket = null;
  #over = false;
  #again = AGAIN_FIRST;
  #broken = 0; // since when, by this page's clock; 0 while one is let in

  /** @param {string} stream @param {Ticket} ticket @param {Heard} on */
  constructor(stream, ticket, on) {
    this.#stream = stream;
    this.#ticket = ticket;
    this.#on = on;
    setInterval(() => this.#send({ type: "here" }), HERE_EVERY);
    this.#open();
  }

  /** @param {string} prompt */
  propose(prompt) {
    return this.#send({ type: "propose", prompt });
  }

  /** @param {string} proposal  empty takes the vote back */
  vote(proposal) {
    return this.#send({ type: "vote", proposal });
  }

  /** @param {Record<string, string>} message */
  #send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/live/${this.#stream}/crowd`);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      const { me, join, name } = this.#ticket;
      this.#send(me ? { type: "enter", token: me, name } : { type: "join", token: join, name });
    });
    socket.addEventListener("message", ({ data }) => this.#hear(JSON.parse(data)));
    socket.addEventListener("close", () => this.#broke());
  }

  /** @param {any} message */
  #hear(message) {
    switch (message.type) {
      case "entered":
        this.#again = AGAIN_FIRST;
        this.#broken = 0;
        if (message.token) {
          this.#ticket.me = message.token;
          remember(this.#stream, message.token);
        } else if (!this.#ticket.join) {
          remember(this.#ticket.me, message.name);
        }
        this.#on.entered(message.participant, message.name);
        this.#on.stream(message.stream, message.spectator_token);
        break;
      case "moved":
        this.#on.stream(message.stream, message.spectator_token);
        break;
      case "board":
        this.#on.board(message);
        break;
      case "told":
        this.#on.told(message);
        break;
      case "away":
        this.#on.away(message.away);
        break;
      case "refused":
        this.#refuse(message.reason);
        break;
      case "over":
        this.#over = true;
        this.#on.over(message.reason);
    }
  }

  /** @param {string} reason */
  #refuse(reason) {
    if (reason === "away") return; // tried again when the line has closed
    if (reason === "unknown" && this.#ticket.join && this.#ticket.me) {
      this.#ticket.me = ""; // kept from another time
      remember(this.#stream, "");
      return;
    }
    this.#over = true;
    this.#on.refused(reason);
  }

  #broke() {
    if (this.#over) return;
    this.#broken ||= performance.now();
    if (performance.now() - this.#broken > GIVE_UP) {
      this.#over = true;
      this.#on.over("the service does not answer");
      return;
    }
    this.#on.lost();
    setTimeout(() => this.#open(), this.#again);
    this.#again = Math.min(AGAIN_MOST, this.#again * 2);
  }
}
