// @ts-check
// The page: sign in, then sections that look again every two seconds while somebody sees them.

import { Api, ApiError, SignedOutError } from "./api.js";
import { say } from "./parts.js";
import { recordings } from "./recordings.js";
import { liveSessions } from "./sessions.js";
import { simulations } from "./simulations.js";
import { usage } from "./usage.js";
import { capital } from "./words.js";

/**
 * @typedef {object} Section
 * @property {HTMLElement} root
 * @property {HTMLElement} problem
 * @property {() => Promise<void>} refresh
 */

const EVERY = 2000; // milliseconds

/** @param {string} id */
const find = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const key = /** @type {HTMLInputElement} */ (find("key"));
const api = new Api();
/** @type {Section[]} */
const sections = [liveSessions(api, act), usage(api), recordings(api, act), simulations(api, act)];
find("sections").append(...sections.map(({ root }) => root));

/** Show the page of those who are signed in, or the form. @param {string} [why] */
function enter(why = "") {
  find("sign-in").hidden = api.signedIn;
  find("sections").hidden = find("sign-out").hidden = !api.signedIn;
  say(find("refused"), why);
  if (!api.signedIn) {
    for (const dialog of document.querySelectorAll("dialog")) dialog.close();
    key.focus();
  }
}

/** @param {Section} section */
async function refresh({ root, problem, refresh }) {
  try {
    await refresh();
    say(problem, "");
  } catch (error) {
    if (error instanceof SignedOutError) enter(error.message);
    else if (error instanceof ApiError && error.status === 404) absent.add(root);
    else say(problem, capital(error instanceof Error ? error.message : String(error)));
  }
  root.hidden = absent.has(root);
  problem.hidden = problem.textContent === "";
  root.setAttribute("aria-busy", "false");
}

/** Sections that this service has nothing for. @type {Set<HTMLElement>} */
const absent = new Set();
let looking = false;

async function look() {
  if (looking || !api.signedIn || document.visibilityState !== "visible") return;
  looking = true;
  await Promise.all(sections.filter(({ root }) => !absent.has(root)).map(refresh));
  looking = false;
}

/**
 * Do what a button asks for, say at the top of the page what went wrong, and look again.
 *
 * @param {() => Promise<void>} work
 */
async function act(work) {
  const trouble = find("trouble");
  say(trouble, "");
  try {
    await work();
  } catch (error) {
    if (error instanceof SignedOutError) enter(error.message);
    else say(trouble, capital(error instanceof Error ? error.message : String(error)));
  }
  trouble.hidden = trouble.textContent === "";
  await look();
}

find("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await api.signIn(key.value.trim());
    key.value = "";
    enter();
  } catch (error) {
    enter(capital(error instanceof Error ? error.message : String(error)));
  }
  await look();
});
find("sign-out").addEventListener("click", () => {
  api.signOut();
  enter();
});
document.addEventListener("visibilitychange", look);
setInterval(look, EVERY);
fetch("/healthz")
  .then((answer) => answer.json())
  .then(({ version }) => say(find("service"), `served by odyssey_nb ${version}`))
  .catch(() => {});
enter();
look();
