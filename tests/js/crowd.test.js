// What a participant's page makes of its link, and of the board.

import assert from "node:assert/strict";
import test from "node:test";

import { ticketOf } from "../../odyssey_nb/service/watch/crowd.js";
import { behind, standing } from "../../odyssey_nb/service/watch/panel.js";

globalThis.localStorage = { getItem: (name) => (name === "odyssey crowd known" ? "Kim" : null) };

const ticket = (hash) => ticketOf({ hash }, "one");

test("a link lets in who has a token, or the one for all; others only watch", () => {
  assert.equal(ticket(""), null);
  assert.equal(ticket("#elsewhere"), null);
  assert.deepEqual(ticket("#me=a-b&name=Ada%20L"), { me: "a-b", join: "", name: "Ada L" });
  assert.deepEqual(ticket("#me=known"), { me: "known", join: "", name: "Kim" });
  assert.deepEqual(ticket("#join=c"), { me: "", join: "c", name: "" });
});

test("one is told how it stands with one's own", () => {
  const waiting = [
    { id: "1", prompt: "snow", by: ["ada"], names: ["Ada"], votes: 2 },
    { id: "2", prompt: "fog", by: ["ben", "cy"], names: ["Ben", "Cy"], votes: 1 },
  ];
  const board = { mode: "queue", waiting };
  assert.equal(standing(board, "ada"), "Yours is next");
  assert.equal(standing(board, "cy"), "Yours is number 2");
  assert.equal(standing(board, "dee"), "");
  assert.equal(standing({ ...board, mode: "vote" }, "ada"), "Yours leads");
  assert.equal(standing({ ...board, mode: "vote" }, "cy"), "Yours is up for the vote");
  assert.equal(standing({ ...board, applying: waiting[1] }, "ben"), "Yours is being applied");
});

test("many names are few words", () => {
  assert.equal(behind(["Ada"]), "Ada");
  assert.equal(behind(["Ada", "Ben", "Cy"]), "Ada, Ben, Cy");
  assert.equal(behind(["Ada", "Ben", "Cy", "Dee"]), "Ada, Ben and 2 more");
});
