// @ts-check
// The service's API. What it answers has the shapes of `odyssey_nb/wire/`.

const TOKEN = "odyssey-access-token";

/** The token is missing, wrong or too old: only signing in again helps. */
export class SignedOutError extends Error {}

/** The service refused; `status` is HTTP's, 0 when nothing answered. */
export class ApiError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * One account's view of the service. The access token lasts for an hour and lives as long as the
 * browser's tab; the key is exchanged for it and forgotten.
 */
export class Api {
  get signedIn() {
    return sessionStorage.getItem(TOKEN) !== null;
  }

  /** @param {string} key */
  async signIn(key) {
    const { access_token } = await this.#fetch("POST", "/auth/token", { api_key: key });
    sessionStorage.setItem(TOKEN, access_token);
  }

  signOut() {
    sessionStorage.removeItem(TOKEN);
  }

  /**
   * Ask, and return the answer's body.
   *
   * @param {"GET" | "POST" | "DELETE"} method
   * @param {string} path
   * @returns {Promise<any>}
   */
  async ask(method, path) {
    const token = sessionStorage.getItem(TOKEN);
    if (token === null) throw new SignedOutError("sign in first");
    try {
      return await this.#fetch(method, path, undefined, token);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        this.signOut();
        throw new SignedOutError("The sign-in has expired; sign in again.");
      }
      throw error;
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @param {string} [token]
   */
  async #fetch(method, path, body, token) {
    /** @type {Record<string, string>} */
    const headers = { "Content-Type": "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    let response;
    try {
      response = await fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(10_000),
      });
    } catch {
      throw new ApiError(0, "the service does not answer");
    }
    const text = await response.text();
    if (!response.ok) throw new ApiError(response.status, reasonOf(text, response.status));
    return text ? JSON.parse(text) : null;
  }
}

/** What a refusal says. @param {string} text @param {number} status */
function reasonOf(text, status) {
  try {
    const { detail } = JSON.parse(text);
    return (typeof detail === "string" ? detail : detail.message) || `refused (${status})`;
  } catch {
    return `refused (${status})`;
  }
}
