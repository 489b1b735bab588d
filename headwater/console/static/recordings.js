import { action, api, cell, code, day, draw, fill, moment, show, span, state, words } from "./console.js";

const KINDS = { recording: "ok", finalizing: "ok", completed: "ok", partial: "warn", failed: "bad" };
const SHOWN = 50;
const form = document.getElementById("find");
let listed = "", items = [], next = null;
const late = each => each.state === "scheduled" && Date.parse(each.start_at) < Date.now();
const shown = each => late(each) ? state("warn", "scheduled, late") : state(KINDS[each.state] ?? "idle", each.state);
const title = each => [each.title, each.episode_no ? ` (${each.season_no ?? "–"}/${each.episode_no})` : ""];

const again = show(async (current, signal) => {
  const asked = [...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
  const path = `/v1/admin/recordings?${new URLSearchParams([["limit", SHOWN], ...asked])}`;
  const found = await api(path, { signal });
  if (!current()) return "";
  if (path !== listed || items.length <= SHOWN) {  // further pages stay where one looks
    [listed, items, next] = [path, found.latest, found.next_cursor];
  }
  fill("due", found.due.map(r => [
    cell(title(r), words), cell(shown(r), words), cell(r.channel_id, words), cell(day(r.start_at)),
    cell(moment(r.due_at)), cell(code(r.account_id), words),
  ]));
  const list = () => fill("latest", items.map(r => [
    cell(title(r), words), cell(shown(r), words), cell(r.reason ?? "–", words), cell(r.channel_id, words), cell(day(r.start_at)),
    cell(span((Date.parse(r.end_at) - Date.parse(r.start_at)) / 1000)), cell(code(r.account_id), words),
  ]));
  const offer = () => draw("more", next ? action("More", "", async () => {
    const after = next, page = await api(`${path}&cursor=${encodeURIComponent(after)}`);
    if (path !== listed || after !== next) return;  // another list by now
    items.push(...page.latest);
    next = page.next_cursor;
    list();
    offer();
  }, "", path) : "");
  list();
  offer();
  fill("copying", found.copying.map(c => [
    cell(c.channel_id, words), cell(moment(c.ended_at)),
    cell(c.copied_objects ?? "–"), cell(c.left_objects ?? "–"), cell(c.error ?? "–", words),
    cell(code(c.account_id), words),
  ]));
  const failed = items.filter(each => each.state === "failed").length;
  return `the last ${items.length}${next ? " and more" : ""}, ${failed} of them failed`;
}, 5000);

form.addEventListener("input", () => again());
form.addEventListener("submit", event => event.preventDefault());
