// How long the Player lets one wait. Runs in the page before anything else, after probe.js.
(() => {
  const CANVAS = ".odyssey-player canvas";
  const TURN = 1 << 20; // as in steered.py
  const LONGEST = 20_000; // milliseconds
  const { bench } = globalThis;
  const now = () => performance.timeOrigin + performance.now();

  // What was handed to the decoder when, and when it came back; by the picture's number.
  const handed = new Map();
  const decoded = new Map();
  const picture = ({ timestamp }) => Math.round(timestamp / 1000);
  globalThis.VideoDecoder = class extends VideoDecoder {
    constructor({ output, error }) {
      super({
        error,
        output: (frame) => {
          decoded.set(picture(frame), now());
          output(frame);
        },
      });
    }

    decode(chunk) {
      handed.set(picture(chunk), now());
      super.decode(chunk);
    }
  };

  const seq = () => Number(document.querySelector(CANVAS)?.dataset.seq ?? 0);

  /** Send the prompt in the box; return when what happened to it, in milliseconds of now(). */
  bench.command = async () => {
    const turn = () => Math.floor(bench.number(CANVAS) / TURN);
    const before = turn();
    let acknowledged = null;
    const player = document.querySelector(".odyssey-player");
    const prompt = player.querySelector(".odyssey-prompt");
    const old = prompt.textContent;
    const applied = new MutationObserver(() => {
      if (prompt.textContent !== old) acknowledged ??= now();
    });
    applied.observe(prompt, { childList: true, characterData: true, subtree: true });
    const asked = now();
    player.querySelector('[aria-label="send the prompt"]').click();
    const found = await bench.until(
      () =>
        turn() > before && {
          asked,
          stamp: bench.read(CANVAS)[1],
          handed: handed.get(seq()),
          decoded: decoded.get(seq()),
          painted: now(),
        },
      LONGEST,
    );
    await bench.until(() => acknowledged, LONGEST);
    applied.disconnect();
    return { ...found, acknowledged };
  };

  /** When the first picture is painted, in milliseconds of now(). */
  bench.first = async () => {
    await bench.until(() => bench.read(CANVAS), LONGEST);
    return now();
  };

  /** Scroll the Player into sight; return the milliseconds until another picture is painted. */
  bench.back = async () => {
    const before = seq();
    const began = now();
    document.querySelector(".odyssey-player").scrollIntoView();
    await bench.until(() => seq() !== before, LONGEST);
    return now() - began;
  };
})();
