// @ts-check
// What the account has used of what it may: three figures, and the days of the period.

/** @import { Api } from "./api.js" */
import { element, keep, say, section } from "./parts.js";
import { hours } from "./words.js";

/** @typedef {{ date: string, stream_hours: number, simulation_hours: number }} Day */

/** @param {Api} api */
export function usage(api) {
  const concurrent = tile("Streams now");
  const streamed = tile("Streamed this month");
  const simulated = tile("Simulated this month");
  const suspended = element("p", { class: "problem", role: "alert", hidden: true });
  const days = element("ol", { class: "days", "aria-label": "hours of each day" });
  const tiles = element(
    "div",
    { class: "tiles" },
    ...[concurrent, streamed, simulated].map(({ root }) => root),
  );
  const parts = section("Usage", suspended, tiles, days);

  async function refresh() {
    const used = await api.ask("GET", "/usage");
    concurrent.show(used.concurrent_streams, used.concurrent_limit, String);
    streamed.show(used.stream_hours, used.monthly_hours, hours);
    simulated.show(used.simulation_hours, undefined, hours);
    // One limit holds for both together.
    streamed.fill((used.stream_hours + used.simulation_hours) / (used.monthly_hours ?? Infinity));
    if (used.waiting_simulations) simulated.note(`${used.waiting_simulations} waiting`);
    /** @type {Day[]} */
    const spent = used.days ?? [];
    suspended.hidden = !used.suspended;
    say(suspended, used.suspended ? `This account is suspended: ${used.suspended}` : "");
    const most = Math.max(...spent.map(total), 0);
    days.hidden = most === 0;
    keep(days, spent, (day) => day.date, makeDay, (bar, day) => {
      bar.style.setProperty("--part", String(most ? total(day) / most : 0));
      const streamed = hours(day.stream_hours);
      bar.title = `${day.date}: ${streamed} streamed, ${hours(day.simulation_hours)} simulated`;
      say(/** @type {Element} */ (bar.firstElementChild), bar.title);
    });
  }

  return { ...parts, refresh };
}

/** @param {Day} day */
const total = (day) => day.stream_hours + day.simulation_hours;

const makeDay = () => element("li", {}, element("span", { class: "unseen" }));

/** @param {string} label */
function tile(label) {
  const value = element("strong");
  const limit = element("span", { class: "soft" });
  const meter = element("meter", { max: "1", high: "0.85", optimum: "0", "aria-label": label });
  const root = element("div", { class: "card tile" }, element("p", {}, label), value, " ", limit, meter);
  return {
    root,
    /**
     * @param {number} used
     * @param {number | undefined} most
     * @param {(amount: number) => string} write
     */
    show(used, most, write) {
      say(value, write(used));
      say(limit, most === undefined ? "" : `of ${write(most)}`);
      meter.hidden = most === undefined;
      meter.value = used / (most ?? Infinity);
    },
    /** @param {number} part  of what there is */
    fill(part) {
      meter.value = part;
    },
    /** @param {string} words */
    note: (words) => say(limit, words),
  };
}
