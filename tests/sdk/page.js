// @ts-check
// An application of the JavaScript SDK: it shows the stream, and a test says what it does.

import { Odyssey, credentialsFromDict, credentialsToDict } from "@odysseyml/odyssey";

const PATIENCE = 20_000; // ms that a call may take; the SDK itself waits for ever

const video = /** @type {HTMLVideoElement} */ (document.querySelector("video"));
const canvas = document.createElement("canvas");

/** What the SDK's handlers were called with, in order. @type {unknown[][]} */
const heard = [];

/** @type {import("@odysseyml/odyssey").OdysseyEventHandlers} */
const handlers = {
  onStatusChange: (status) => heard.push(["status", status]),
  onConnected: () => heard.push(["connected"]),
  onDisconnected: () => heard.push(["disconnected"]),
  onStreamStarted: (id) => heard.push(["started", id]),
  onStreamEnded: () => heard.push(["ended"]),
  onInteractAcknowledged: (prompt) => heard.push(["acknowledged", prompt]),
  onBroadcastReady: (info) => heard.push(["broadcast", info]),
  onStreamError: (reason, message) => heard.push(["stream error", reason, message]),
  onError: (error, fatal) => heard.push(["error", error.message, fatal]),
};

/** @type {Odyssey} */
let client;
/** @type {import("@odysseyml/odyssey").SpectatorConnection} */
let spectator;
/** @type {Promise<unknown>} */
let pending;

/** @type {Record<string, (...args: any[]) => Promise<unknown>>} */
const verbs = {
  connect: async () => play(await client.connect(handlers)),
  connectWithCredentials: async (data) =>
    play(await client.connectWithCredentials(credentialsFromDict(data), handlers)),
  createClientCredentials: async () => credentialsToDict(await client.createClientCredentials()),
  startStream: (options) => client.startStream(options),
  /** Start from an image that comes as a data URL, as from a file that a user chose. */
  startStreamFromFile: async ({ url, name, ...options }) => {
    const blob = await (await fetch(url)).blob();
    return client.startStream({ ...options, image: new File([blob], name, { type: blob.type }) });
  },
  interact: (options) => client.interact(options),
  simulate: (options) => client.simulate(options),
  /** Simulate from an image that comes as a data URL, as from a file that a user chose. */
  simulateFromFile: async (url, prompt, end) => {
    const image = await (await fetch(url)).blob();
    const start = { timestamp_ms: 0, start: { prompt, image } };
    return client.simulate({ script: [start, { timestamp_ms: end, end: {} }], portrait: false });
  },
  getSimulateStatus: (id) => client.getSimulateStatus(id),
  listSimulations: (options) => client.listSimulations(options),
  cancelSimulation: (id) => client.cancelSimulation(id),
  endStream: () => client.endStream(),
  disconnect: async () => client.disconnect(),
  getRecording: (id) => client.getRecording(id),
  listStreamRecordings: (options) => client.listStreamRecordings(options),
  /** Watch somebody else's stream. */
  connectToStream: async (webrtcUrl, token) => {
    spectator = await Odyssey.connectToStream(webrtcUrl, token);
    spectator.onDisconnect(() => heard.push(["spectator disconnected"]));
    return play(spectator.stream);
  },
  leaveStream: async () => spectator.disconnect(),
  /** Connect again from within the handler that is told of an error. */
  reconnectOnError: () =>
    new Promise((resolve, reject) => {
      const { onError } = handlers;
      handlers.onError = (error, fatal) => {
        onError?.(error, fatal);
        client.connect().then(play).then(resolve, reject);
      };
    }),
  /** Connect, and start a stream as early as the SDK lets us. */
  startAtOnce: (options) =>
    new Promise((resolve, reject) => {
      /** @param {import("@odysseyml/odyssey").ConnectionStatus} status */
      const onStatusChange = (status) => {
        handlers.onStatusChange?.(status);
        if (status === "connected") client.startStream(options).then(resolve, reject);
      };
      client.connect({ ...handlers, onStatusChange }).then(play, reject);
    }),
};

/** @param {MediaStream} stream */
function play(stream) {
  video.srcObject = stream;
  return stream.getTracks().map((track) => track.kind);
}

/** @template T @param {Promise<T>} promise @returns {Promise<T>} */
function inTime(promise) {
  const late = new Promise((_, reject) =>
    setTimeout(() => reject(new Error(`nothing for ${PATIENCE} ms`)), PATIENCE),
  );
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]);
}

/** What a test reaches. */
Object.assign(globalThis, {
  app: {
    /** @param {string} url @param {string | undefined} apiKey */
    open(url, apiKey) {
      Object.assign(window, { __ODYSSEY_API_URL__: url });
      client = new Odyssey({ apiKey });
    },

    /** Begin one of the SDK's calls. @param {string} verb @param {unknown[]} args */
    begin(verb, args) {
      pending = inTime(verbs[verb](...args)).then(
        (value) => ({ value }),
        (error) => ({
          error: { name: error.name, message: error.message, details: error.details ?? {} },
        }),
      );
    },

    /** How the call ended that was begun last. */
    result: () => pending,

    heard: () => heard,
    lastAppliedPrompt: () => client.lastAppliedPrompt,

    /** What the video shows, as the URL of a PNG; empty before the first picture. */
    picture() {
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      if (!canvas.width) return "";
      canvas.getContext("2d")?.drawImage(video, 0, 0);
      return canvas.toDataURL("image/png");
    },

    /** The tracks that the video plays. */
    tracks() {
      const stream = /** @type {MediaStream} */ (video.srcObject);
      return stream.getTracks().map(({ id, kind, readyState }) => ({ id, kind, readyState }));
    },
  },
});
