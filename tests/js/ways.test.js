// Where a page looks for the sidecar's view socket.

import assert from "node:assert/strict";
import test from "node:test";

let page = 0;

/** The ways that a page at this address finds, one for each number of failures. */
async function ways(address, { base = undefined, proxy = false } = {}) {
  const { host, hostname, protocol } = new URL(address);
  globalThis.location = { host, hostname, protocol };
  const said = base === undefined ? null : { textContent: JSON.stringify({ baseUrl: base }) };
  globalThis.document = { getElementById: () => said };
  const asked = [];
  globalThis.fetch = async (url) => {
    asked.push(url);
    return { ok: proxy };
  };
  page += 1; // what a page has asked once is known to it
  const module = await import(`../../odyssey_nb/widgets/static/ways.js?page=${page}`);
  const found = [];
  for (const failures of [0, 1, 2]) {
    const way = await module.wayIn(failures);
    found.push(way && way(5001));
  }
  return { found, asked, may: module.mayReach() };
}

const HERE = "ws://127.0.0.1:5001/";

test("on the sidecar's machine it is the port itself, and nobody else is asked at first", async () => {
  const { found, may } = await ways("http://localhost:8888/lab");

  assert.deepEqual(found, [HERE, HERE, HERE]);
  assert.ok(may);
});

test("what looks like this machine and fails is tried through the server", async () => {
  const { found, asked } = await ways("http://localhost:8888/lab", { base: "/", proxy: true });

  const proxied = "ws://localhost:8888/proxy/5001/";
  assert.deepEqual(found, [HERE, proxied, proxied]);
  assert.deepEqual(asked, ["/server-proxy/servers-info"]);
});

test("elsewhere it is the server's proxy, below its own path", async () => {
  const { found, asked, may } = await ways("https://hub.org/user/ada/lab", {
    base: "/user/ada/",
    proxy: true,
  });

  assert.equal(found[0], "wss://hub.org/user/ada/proxy/5001/");
  assert.deepEqual(asked, ["/user/ada/server-proxy/servers-info"]);
  assert.ok(may);
});

test("elsewhere without the proxy there is no way", async () => {
  const { found } = await ways("https://hub.org/lab", { base: "/" });

  assert.deepEqual(found, [null, null, null]);
});

test("a page that is no Jupyter server's, elsewhere, does not try", async () => {
  assert.equal((await ways("https://elsewhere.org/")).may, false);
});
