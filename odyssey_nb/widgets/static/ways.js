// @ts-check
// Where a page reaches the sidecar's view socket: on its own machine, or through the Jupyter server.

/** Hosts at which the page's machine is the sidecar's; elsewhere browsers refuse, or ask people. */
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

/** Whether a host is the machine of who names it. @param {string} host */
export const isLoopback = (host) => LOOPBACK.includes(host);

const ASKED_WITHIN = 5000; // milliseconds

/** @typedef {(port: number) => string} Way  the address of a port of the sidecar's machine */

/** @type {Way} */
const onThisMachine = (port) => `ws://127.0.0.1:${port}/`;

/** The path at which the Jupyter server is, as JupyterLab's and Notebook's pages say it. */
function basePath() {
  const said = globalThis.document?.getElementById("jupyter-config-data")?.textContent;
  try {
    return /** @type {string | undefined} */ (JSON.parse(said ?? "{}").baseUrl);
  } catch {
    return undefined;
  }
}

/** @type {Promise<boolean> | undefined} */
let proxied; // asked once a page

/** Whether jupyter-server-proxy is there. @param {string} base */
function isProxied(base) {
  proxied ??= fetch(`${base}server-proxy/servers-info`, { signal: AbortSignal.timeout(ASKED_WITHIN) })
    .then(({ ok }) => ok)
    .catch(() => false);
  return proxied;
}

/** Whether there may be a way. It needs crypto.subtle, which only secure contexts have. */
export function mayReach() {
  const near = isLoopback(location.hostname) || basePath() !== undefined;
  return near && globalThis.crypto?.subtle !== undefined;
}

/**
 * The way to try after so many failures in a row, or null where there is none.
 *
 * A tunnel to another machine looks like loopback: what fails on this machine may be reached
 * through the Jupyter server.
 *
 * @param {number} failures
 * @returns {Promise<Way | null>}
 */
export async function wayIn(failures) {
  const near = isLoopback(location.hostname);
  if (near && failures === 0) return onThisMachine;
  const base = basePath();
  if (base !== undefined && (await isProxied(base))) {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    return (port) => `${scheme}://${location.host}${base}proxy/${port}/`;
  }
  return near ? onThisMachine : null;
}
