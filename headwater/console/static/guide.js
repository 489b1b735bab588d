import { action, api, cell, chosen, code, day, draw, element, facts, fill, may, show, state, trouble, words } from "./console.js";

const HOUR_MS = 3_600_000, SPAN_MS = 6 * HOUR_MS;
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
      href: `#${begin},${encodeURIComponent(e.id)}`, dir: "auto", title: `${day(e.start_at).slice(11)} ${e.title}`, ...(on ? { "aria-current": "true" } : {}),
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

async function detail(id, current) {
  document.getElementById("one").hidden = !id;
  if (!id) return;
  const known = await api(`/v1/epg/events/${encodeURIComponent(id)}`);
  if (!current()) return;
  const rights = known.rights ?? {};
  const can = [rights.startover && "start-over", rights.catchup && `catch-up until ${rights.catchup_until ? day(rights.catchup_until) : "its end"}`, rights.npvr && "recording"];
  document.getElementById("name").textContent = known.title;
  draw("facts", facts([
    ["Time", `${day(known.start_at)} to ${day(known.end_at).slice(11)}`], ["Channel", known.channel_id],
    ["Episode", known.season_no || known.episode_no ? `season ${known.season_no ?? "–"}, episode ${known.episode_no ?? "–"}` : "–"],
    ["May", can.filter(Boolean).join(", ") || "be watched live only"], ["Id", code(known.id)],
  ]));
  document.getElementById("descr").textContent = known.descr ?? "";
}

const again = show(async current => {
  const begin = from(), end = begin + SPAN_MS, [, selected] = parts();
  const iso = at => encodeURIComponent(new Date(at).toISOString());
  const [channels, grid, sources] = await Promise.all([
    api("/v1/channels?limit=200"), api(`/v1/epg?from=${iso(begin)}&to=${iso(end)}`), api("/v1/admin/epg/sources"),
  ]);
  if (!current()) return "";
  const names = Object.fromEntries(channels.items.map(c => [c.id, `${c.number} ${c.name ?? c.slug}`]));
  const hours = [0, 1, 2, 3, 4, 5].map(h => placed("span", begin + h * HOUR_MS, begin, HOUR_MS, {}, day(begin + h * HOUR_MS).slice(11)));
  document.getElementById("span").textContent = `${day(begin)} to ${day(end).slice(11)}`;
  const called = name => element("b", { dir: "auto", title: name }, name);
  draw("grid", called("Channel"), element("div", { class: "lane hours" }, ...hours),
    ...grid.channels.flatMap(line => [called(names[line.channel_id] ?? line.channel_id), lane(line, begin, selected)]),
  );
  document.getElementById("grid").style.setProperty("--now", `${(Date.now() - begin) / SPAN_MS * 100}%`);
  document.getElementById("grid").hidden = !grid.channels.length;
  document.getElementById("none").hidden = grid.channels.length > 0;
  fill("sources", sources.items.map(source));
  offered(sources.items.map(each => each.id));
  await detail(selected, current);
  const stale = sources.items.filter(each => each.stale).length;
  return `${grid.channels.length} channels${stale ? `, ${stale} of ${sources.items.length} sources stale` : ""}`;
}, 60_000);

// -- a guide from a file --------------------------------------------------------------------------

const upload = document.getElementById("upload"), LOOK_MS = 500;

function offered(ids) {
  const choice = upload.elements.source_id, before = choice.value;
  if ([...choice.options].map(each => each.value).join() !== ids.join()) {
    choice.replaceChildren(...ids.map(id => element("option", {}, id)));
    if (ids.includes(before)) choice.value = before;
  }
  document.getElementById("bring").hidden = !may("epg:import") || !ids.length;
}

// Told until it is over: what was kept and what each quirk cost, or why nothing was.
async function follow(run) {
  for (;;) {
    draw("brought", facts([
      ["Import", state(IMPORTS[run.state], run.state)], ["Why", run.reason],
      ...Object.entries(run.report ?? {}).filter(([, count]) => count).map(([name, count]) => [name.replaceAll("_", " "), String(count)]),
    ]));
    if (run.state !== "running") break;
    await new Promise(done => setTimeout(done, LOOK_MS));
    run = await api(`/v1/admin/epg/imports/${run.id}`);
  }
  draw("held", run.state === "held" ? action("Apply what is held", "epg:import", async () => {
    await follow(await api(`/v1/admin/epg/imports/${run.id}/apply`, { method: "POST" }));
  }) : "");
  await again();
}

upload.addEventListener("submit", async event => {
  event.preventDefault();
  const { source_id, file, force } = upload.elements, button = upload.querySelector("button");
  const asked = new URLSearchParams({ source_id: source_id.value, force: String(force.checked) });
  button.disabled = true;
  trouble("");
  try {
    await follow(await api(`/v1/admin/epg/imports?${asked}`, { method: "POST", body: file.files[0] }));
    upload.reset();
  } catch (error) {
    trouble(error.message);
  }
  button.disabled = false;
});

document.getElementById("earlier").addEventListener("click", () => go(from() - SPAN_MS));
document.getElementById("later").addEventListener("click", () => go(from() + SPAN_MS));
document.getElementById("now").addEventListener("click", () => go(""));
