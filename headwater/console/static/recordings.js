import { api, cell, clock, code, day, fill, show, span, state, words } from "./console.js";

const KINDS = { recording: "ok", finalizing: "ok", completed: "ok", partial: "warn", failed: "bad" };
const form = document.getElementById("find");
const shown = each => state(KINDS[each.state] ?? "idle", each.state);
const title = each => [each.title, each.episode_no ? ` (${each.season_no ?? "–"}/${each.episode_no})` : ""];

const again = show(async current => {
  const found = await api("/v1/admin/recordings");
  if (!current()) return "";
  const wanted = form.elements.state.value;
  const of = list => list.filter(each => !wanted || each.state === wanted);
  fill("due", of(found.due).map(r => [
    cell(title(r), words), cell(shown(r), words), cell(r.channel_id, words), cell(day(r.start_at)),
    cell(`${day(r.due_at).slice(0, 10)} ${clock(r.due_at)}`), cell(code(r.account_id), words),
  ]));
  fill("latest", of(found.latest).map(r => [
    cell(title(r), words), cell(shown(r), words), cell(r.reason ?? "–", words), cell(r.channel_id, words), cell(day(r.start_at)),
    cell(span((Date.parse(r.end_at) - Date.parse(r.start_at)) / 1000)), cell(code(r.account_id), words),
  ]));
  fill("copying", found.copying.map(c => [
    cell(c.channel_id, words), cell(`${day(c.ended_at).slice(0, 10)} ${clock(c.ended_at)}`),
    cell(c.copied_objects ?? "–"), cell(c.left_objects ?? "–"), cell(c.error ?? "–", words),
    cell(code(c.account_id), words),
  ]));
  const failed = found.latest.filter(each => each.state === "failed").length;
  return `the last ${found.latest.length}, ${failed} of them failed`;
}, 5000);

form.addEventListener("change", () => again());
form.addEventListener("submit", event => event.preventDefault());
