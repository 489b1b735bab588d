import { cell, chosen, code, draw, element, fill, link, moment, seconds, show, state, trouble, words } from "./console.js";
import { decision, percent, router } from "./decision.js";

const CIRCUITS = { closed: "ok", brown: "warn", half_open: "warn", open: "bad" };
const HEALTH = { up: "ok", slow: "warn", out: "bad" };
const EVERY_MS = 2000, KEPT = 300, SVG = "http://www.w3.org/2000/svg";
const trails = new Map();

function bar(share) {
  const inner = element("i", { style: `width:${100 * (share ?? 0)}%` });
  return element("span", { class: "bar", "aria-hidden": "true" }, inner);
}

// A CDN's share since the page was opened, at most ten minutes of it.
function trail(id, share) {
  const seen = [...(trails.get(id) ?? []), share ?? 0].slice(-KEPT);
  trails.set(id, seen);
  const drawn = document.createElementNS(SVG, "svg"), line = document.createElementNS(SVG, "polyline");
  drawn.setAttribute("viewBox", `0 -1 ${KEPT} 22`);
  drawn.setAttribute("preserveAspectRatio", "none");
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", `from ${percent(Math.min(...seen))} to ${percent(Math.max(...seen))}`);
  line.setAttribute("points", seen.map((each, at) => `${KEPT - seen.length + at},${20 * (1 - each)}`).join(" "));
  drawn.append(line);
  return drawn;
}

function cdns(pathways) {
  fill("cdns", pathways.map(p => {
    const kind = p.state === "enabled" ? HEALTH[p.health] : "idle";
    const says = p.state === "enabled" ? p.health : p.state;
    return [
      cell(p.id), cell(state(kind, `${says}: ${p.why}`), words), cell([bar(p.share), percent(p.share)]), cell(trail(p.id, p.share)),
      cell(String(p.sessions)), cell(p.load_mbps.toFixed(1)), cell(p.price_per_tb.toFixed(2)),
      cell(p.cost_per_hour.toFixed(2)), cell(p.commit_mbps ? percent(p.fill) : "no commit"),
      cell(p.probe_ms === null ? "–" : p.probe_ms.toFixed(1)),
    ];
  }));
}

function heat(rows) {
  const head = document.querySelector("#heat thead");
  const names = rows[0]?.cells.map(c => c.pathway) ?? [];
  head.replaceChildren(element("tr", {}, element("th", {}, "Region"), ...names.map(n => element("th", {}, n))));
  fill("heat", rows.map(row => [cell(row.region || "everywhere"), ...row.cells.map(c => {
    const says = c.qoe === null ? "no evidence" : `${c.qoe.toFixed(1)} · ${c.sessions.toFixed(0)}`;
    const kind = c.circuit !== "closed" ? CIRCUITS[c.circuit] : c.qoe === null ? "idle" : c.qoe >= 75 ? "ok" : c.qoe >= 50 ? "warn" : "bad";
    const label = c.circuit === "closed" ? says : `${says} · ${c.circuit.replace("_", " ")}`;
    const colour = { ok: "var(--ok)", warn: "var(--warn)", bad: "var(--bad)", idle: "transparent" }[kind];
    return cell(state(kind, label), { style: `--heat:${colour}` });
  })]));
}

show(async () => {
  const now = await router("/v1/screen"), { plan, snapshot } = now;
  trouble(snapshot.stale ? "The snapshot is too old: static priority decides." : "");
  cdns(now.pathways);
  heat(now.heat);
  fill("breakers", now.breakers.map(b => [cell(b.region || "everywhere"), cell(b.pathway, words), cell(state(CIRCUITS[b.circuit], b.circuit.replace("_", " ")), words)]));
  fill("moves", now.moves.map(m => [cell(moment(m.at_ms)), cell(m.sentence, words), cell(code(m.reason), words)]));
  fill("switches", now.switches.map(s => [cell(moment(s.at_ms)), cell(link(s.session_id), words), cell(s.pathway, words), cell([code(s.reason), ` ${s.sentence}`], words)]));
  const age = snapshot.age_ms === null ? "none" : `${seconds(snapshot.age_ms / 1000)} old`;
  return `${plan.fallback ? "kill switch: static order" : `policy ${plan.policy}`}, plan ${plan.generation}, ` +
    `${plan.rules} rules · snapshot ${snapshot.version}, ${age} (at most ${seconds(snapshot.bound_ms / 1000)})`;
}, EVERY_MS);

async function explain() {
  const id = chosen();
  if (!id) return;
  document.querySelector("#ask input").value = id;
  draw("why", ...await decision(id), element("p", {}, element("a", { href: `/sessions#${encodeURIComponent(id)}` }, "The session")),
  );
}

document.getElementById("ask").addEventListener("submit", event => {
  event.preventDefault();
  const id = encodeURIComponent(new FormData(event.target).get("id").trim());
  if (location.hash === `#${id}`) explain(); else location.hash = id;
});
addEventListener("hashchange", explain);
explain();
