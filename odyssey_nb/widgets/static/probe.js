// @ts-check
// What this page's browser can do, told to the kernel as soon as the model is made.

/** @import { AnyModel } from "@anywidget/types" */
import { CodecDecoder, waysHere } from "./decoders.js";

/** The browser's name and version, from the brands that it gives, else from its old string. */
function browserName() {
  const { userAgentData } = /** @type {any} */ (navigator);
  const brand = userAgentData?.brands?.findLast((/** @type {any} */ { brand }) => !/not.?a.?brand/i.test(brand));
  if (brand) return `${brand.brand} ${brand.version}`;
  const found = /(Firefox|Edg|Chrome|Version)\/([\d]+)/.exec(navigator.userAgent);
  return found ? `${found[1].replace("Version", "Safari")} ${found[2]}` : "this browser";
}

/** Whether WebRTC is there and receives H.264. */
function receivesH264() {
  const codecs = globalThis.RTCRtpReceiver?.getCapabilities?.("video")?.codecs ?? [];
  return codecs.some(({ mimeType }) => mimeType === "video/H264");
}

/** @param {AnyModel<any>} model */
async function tell(model) {
  const ways = waysHere();
  const decodes = ways.includes("WebCodecs") && (await CodecDecoder.able().catch(() => false));
  model.send({
    type: "abilities",
    browser: browserName(),
    secure: globalThis.isSecureContext,
    WebCodecs: decodes,
    "Media Source": ways.includes("Media Source"),
    WebRTC: receivesH264(),
  });
}

/** @param {{ model: AnyModel<any> }} props */
function initialize({ model }) {
  void tell(model); // not waited for: what takes long to initialize is given up
}

export default { initialize };
