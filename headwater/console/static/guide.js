import { api, cell, chosen, code, day, element, facts, fill, show, state, words } from "./console.js";

const HOUR_MS = 3_600_000, SPAN_MS = 4 * HOUR_MS;
// The address is `time` or `time,programme`: a deep link shows the same hours.
const parts = () => chosen().split(",");
const from = () => Number(parts()[0]) || Math.floor(Date.now() / (HOUR_MS / 2)) * (HOUR_MS / 2);
const go = at => { location.hash = at; };

function placed(name, start, from_, length, attributes, ...content) {
  const left = Math.max(0, (start - from_) / SPAN_MS * 100);
  const right = Math.min(100, (start + length - from_) / SPAN_MS * 100);
  return element(name, { ...attributes, style: `left:${left}%;width:${right - left}%` }, ...content);
}

function lane(line, begin, selected) {
  const made = line.events.map(e => {
    const start = Date.parse(e.start_at), on = e.id === selected;
    return placed("a", start, begin, Date.parse(e.end_at) - start, {
      href: `#${begin},${encodeURIComponent(e.id)}`, title: `${day(e.start_at).slice(11)} ${e.title}`, ...(on ? { "aria-current": "true" } : {}),
    }, e.title);
  });
  return element("div", { class: "lane" }, ...(made.length ? made : [placed("span", begin, begin, SPAN_MS, {}, "no programmes known")]));
}

const IMPORTS = { applied: "ok", running: "idle", held: "warn", failed: "bad" };

function source(each) {
  const run = each.last_run, did = run?.report, count = value => cell(String(value ?? "–"));
  const last = run ? [state(IMPORTS[run.state], run.state), ` ${day(run.started_at)}`] : "never";
  const fresh = each.applied_at ? [each.stale ? state("warn", "stale, ") : "", day(each.applied_at)] : state("warn", "never");
  return [
    cell(code(each.id)), cell(last, words), cell(fresh), cell(each.known_until ? day(each.known_until) : "–"), count(each.channels),
    ...["kept", "created", "updated", "removed", "rejected_bad_time"].map(name => count(did?.[name])),
  ];
}

async function detail(id) {
  document.getElementById("one").hidden = !id;
  if (!id) return;
  const known = await api(`/v1/epg/events/${encodeURIComponent(id)}`);
  const rights = known.rights ?? {};
  const can = [rights.startover && "start-over", rights.catchup && `catch-up until ${rights.catchup_until ? day(rights.catchup_until) : "its end"}`, rights.npvr && "recording"];
  document.getElementById("name").textContent = known.title;
  document.getElementById("facts").replaceChildren(facts([
    ["Time", `${day(known.start_at)} to ${day(known.end_at).slice(11)}`], ["Channel", known.channel_id],
    ["Episode", known.season_no || known.episode_no ? `season ${known.season_no ?? "–"}, episode ${known.episode_no ?? "–"}` : "–"],
    ["May", can.filter(Boolean).join(", ") || "be watched live only"], ["Id", code(known.id)],
  ]));
  document.getElementById("descr").textContent = known.descr ?? "";
}

show(async current => {
  const begin = from(), end = begin + SPAN_MS, [, selected] = parts();
  const iso = at => encodeURIComponent(new Date(at).toISOString());
  const [channels, grid, sources] = await Promise.all([
    api("/v1/channels?limit=200"), api(`/v1/epg?from=${iso(begin)}&to=${iso(end)}`), api("/v1/admin/epg/sources"),
  ]);
  if (!current()) return "";
  const names = Object.fromEntries(channels.items.map(c => [c.id, `${c.number} ${c.name ?? c.slug}`]));
  const hours = [0, 1, 2, 3].map(h => placed("span", begin + h * HOUR_MS, begin, HOUR_MS, {}, day(begin + h * HOUR_MS).slice(11)));
  document.getElementById("span").textContent = `${day(begin)} to ${day(end).slice(11)}`;
  document.getElementById("grid").replaceChildren(
    element("b", {}, "Channel"), element("div", { class: "lane" }, ...hours),
    ...grid.channels.flatMap(line => [element("b", {}, names[line.channel_id] ?? line.channel_id), lane(line, begin, selected)]),
  );
  document.getElementById("grid").hidden = !grid.channels.length;
  document.getElementById("none").hidden = grid.channels.length > 0;
  fill("sources", sources.items.map(source));
  await detail(selected);
  const stale = sources.items.filter(each => each.stale).length;
  return `${grid.channels.length} channels${stale ? `, ${stale} of ${sources.items.length} sources stale` : ""}`;
}, 60_000);

document.getElementById("earlier").addEventListener("click", () => go(from() - SPAN_MS));
document.getElementById("later").addEventListener("click", () => go(from() + SPAN_MS));
document.getElementById("now").addEventListener("click", () => go(""));
