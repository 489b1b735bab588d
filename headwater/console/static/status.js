import { api, cell, draw, element, facts, fill, seconds, show, span, state, words } from "./console.js";

show(async () => {
  const now = await api("/status.json"), down = now.parts.filter(each => each.state !== "ok");
  const verdict = document.getElementById("verdict");
  verdict.dataset.state = now.state;
  verdict.textContent = now.state === "ok" ? "All is well" : down.length ? `Not well: ${down.map(each => each.name).join(", ")}` : "Events wait too long";
  fill("parts", now.parts.map(each => [cell(each.name), cell(state(each.state, each.says), words)]));
  draw("limited", ...now.limited.map(each => element("p", {}, state("warn", "limited for now"), ` ${each.name} ${each.says}`)));
  draw("ages", facts([
    ["Oldest event that waits", seconds(now.outbox_lag_s)],
    ["Since a guide was imported", now.guide_age_s === null ? "–" : span(now.guide_age_s)],
  ]));
}, 5000);
