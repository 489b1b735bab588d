import { api, cell, chosen, clock, draw, element, facts, fill, link, seconds, show, span, state, words } from "./console.js";

const KINDS = { ok: "ok", late: "bad" };
const PUBLISHED = { published: "ok", archived: "idle" };
const video = document.getElementById("preview");
let playing = "", player = null;

function preview(name) {
  if (playing === name) return;
  playing = name;
  player?.destroy();
  player = null;
  if (!name) return;
  if (!globalThis.Hls?.isSupported()) return say("preview: this browser or installation has no player");
  player = new Hls({ lowLatencyMode: true, liveDurationInfinity: true });
  player.loadSource(`${location.protocol}//${location.hostname}:${document.body.dataset.delivery}/live/${encodeURIComponent(name)}/master.m3u8`);
  player.attachMedia(video);
  player.on(Hls.Events.MANIFEST_PARSED, () => video.play().catch(() => {}));
  player.on(Hls.Events.ERROR, (_, error) => { 
    if (!error.fatal) return;
    say(`preview: ${error.details}, tried again shortly`);
    player.destroy();
    playing = "";
    player = null;
  });
}

function say(text) {
  document.getElementById("playing").textContent = text;
}

setInterval(() => {
  if (player && video.currentTime > 0) say(`preview: ${seconds(player.latency)} behind live, ${video.videoWidth}×${video.videoHeight}`);
}, 1000);

function rights(document_) {
  const may = [document_.allow_startover && "start-over", document_.catchup_h && `catch-up ${document_.catchup_h} h`, document_.allow_npvr && "recording"];
  return may.filter(Boolean).join(", ") || "live only";
}

function piece(p) {
  const says = `${p.number}${p.at ? ` at ${clock(p.at)}` : ", to come"}: ${seconds(p.duration_s, 3)}${p.parts_s.length ? `, ${p.parts_s.length} parts` : ""}${p.gap ? ", gap" : ""}${p.breaks ? ", discontinuity before it" : ""}`;
  const parts = p.parts_s.map(s => element("i", { style: `flex-grow:${s}` }));
  return element("span", { role: "img", "aria-label": says, title: says, style: `flex-grow:${p.duration_s}`, class: `${p.gap ? "gap" : ""} ${p.breaks ? "breaks" : ""}` }, ...parts);
}

async function detail(name, feed, current) {
  const live = feed && await api(`/v1/admin/live/${encodeURIComponent(name)}`);
  if (!current()) return;
  document.getElementById("name").textContent = name;
  document.getElementById("one").hidden = false;
  preview(live ? name : "");
  if (!live) say("preview: the origin has nothing of this channel");
  draw("facts", facts([
    ["State", feed ? state(KINDS[feed.state], feed.state) : state("idle", "not live")],
    ["Edge age", seconds(feed?.edge_age_s)],
    ["Window", live ? span(live.window_s) : "–"],
    ["Segment, part", live ? `${seconds(live.target_s, 0)}, ${seconds(live.part_target_s, 3)}` : "–"],
    ["Players hold back", seconds(live?.hold_back_s, 3)],
    ["Discontinuities", live ? String(live.discontinuities) : "–"],
  ]));
  draw("timeline", ...(live?.pieces ?? []).map(piece));
  fill("tracks", (live?.tracks ?? []).map(t => [cell(t.kind), cell(t.codecs || "–", words), cell(t.detail || "–", words)]));
  fill("inputs", (live?.inputs ?? []).map(i => [
    cell(i.track), cell(i.name || "unnamed", words), cell(state(i.stale ? "bad" : "ok", i.stale ? "stale" : "in time"), words),
    cell(seconds(i.lag_s)), cell(`${i.media_rate.toFixed(2)} ×`),
  ]));
  fill("gaps", (live?.gaps ?? []).map(g => [cell(g.at ? clock(g.at) : "–"), cell(seconds(g.duration_s))]));
}

show(async current => {
  const [overview, entries] = await Promise.all([
    api("/v1/admin/overview"), api("/v1/admin/channels?limit=200"),
  ]);
  const feeds = Object.fromEntries(overview.channels.map(c => [c.id, c]));
  const known = entries.items.map(each => ({ status: each.status, ...each.document }));
  const others = overview.channels.filter(c => !known.some(k => k.slug === c.id)).map(c => ({ slug: c.id, status: null }));
  fill("channels", [...known, ...others].map(c => {
    const feed = feeds[c.slug];
    return [
      cell(link(c.slug)), cell(c.name ?? "–", words),
      cell(c.status ? state(PUBLISHED[c.status] ?? "warn", c.status) : state("warn", "not in the catalogue"), words),
      cell(feed ? state(KINDS[feed.state], feed.state) : state("idle", "not live"), words),
      cell(seconds(feed?.edge_age_s)), cell(c.dvr_window_s ? span(c.dvr_window_s) : "–"),
      cell(c.status ? rights(c) : "–", words),
    ];
  }));
  const name = chosen();
  if (name && current()) await detail(name, feeds[name], current);
  const count = known.length + others.length;
  return `${count} channel${count === 1 ? "" : "s"}`;
}, 3000);
