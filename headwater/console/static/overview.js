import { api, cell, draw, element, facts, fill, moment, seconds, show, state, words } from "./console.js";

const KINDS = { ok: "ok", late: "bad" };
const about = value => value === null ? "–" : String(value);
let since = null, first = null, last = null;

// Rates between two looks; faults of all answers since the page was opened.
function traffic(at, t) {
  const now = { ...t, ms: Date.parse(at) }, before = last;
  first = first && t.answers >= first.answers ? first : now;
  last = now;
  const took = before && (now.ms - before.ms) / 1000, sent = before && now.sent_bytes - before.sent_bytes;
  const answers = now.answers - first.answers, faults = now.faults - first.faults;
  draw("traffic", facts([
    ["Sessions at the router", about(t.sessions)],
    ["Load on CDNs, as players tell", t.load_mbps === null ? "–" : `${t.load_mbps.toFixed(1)} Mbit/s`],
    ["Out of the origin", t.sent_bytes === null ? "–" : took > 0 && sent >= 0 ? `${(8 * sent / took / 1e6).toFixed(1)} Mbit/s` : "…"],
    ["Faults of the origin since you look", t.answers === null ? "–" : state(faults ? "warn" : "ok", `${faults} of ${answers} answers`)],
  ]));
}

// Nothing heard is no good news.
function silent(id, so, says) {
  const empty = document.getElementById(id).parentElement.querySelector(".empty");
  empty.dataset.calm ??= empty.textContent;
  empty.textContent = so ? says : empty.dataset.calm;
}

show(async () => {
  const now = await api("/v1/admin/overview");
  const count = now.trouble.length;
  if (!count) since = null;
  else since ??= now.at;
  const verdict = document.getElementById("verdict");
  verdict.dataset.state = count ? "bad" : "ok";
  verdict.textContent = count
    ? `${count} ${count === 1 ? "thing is" : "things are"} wrong, seen here since ${moment(since)}`
    : "Nothing is wrong";
  draw("troubles", ...now.trouble.map(text => element("li", {}, text)));
  traffic(now.at, now.traffic);
  fill("services", now.services.map(s => [
    cell(s.name), cell(state(s.ready ? "ok" : "bad", s.ready ? "ready" : "not ready"), words),
    cell(s.why.join(", ") || "–", words),
  ]));
  silent("channels", now.traffic.answers === null, "The origin is silent: nobody knows.");
  silent("breakers", now.traffic.sessions === null, "The router is silent: nobody knows.");
  fill("channels", now.channels.map(c => [
    cell(element("a", { href: `/channels#${encodeURIComponent(c.id)}` }, c.id)),
    cell(state(KINDS[c.state], c.state), words), cell(seconds(c.edge_age_s)),
  ]));
  fill("breakers", now.breakers.map(b => [
    cell(b.region || "everywhere"), cell(b.pathway, words), cell(state("bad", b.circuit.replace("_", " ")), words),
  ]));
}, 3000);
