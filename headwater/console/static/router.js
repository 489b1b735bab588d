import { cell, clock, element, fill, state, words } from "./console.js";

const router = document.body.dataset.router;
const EVERY_MS = 2000;
const CIRCUITS = { closed: "ok", brown: "warn", half_open: "warn", open: "bad" };
const HEALTH = { up: "ok", slow: "warn", out: "bad" };
const seconds = ms => (ms / 1000).toFixed(1) + " s";

const percent = share => share === null ? "–" : (100 * share).toFixed(1) + " %";

function bar(share) {
  const inner = element("i", { style: `width:${100 * (share ?? 0)}%` });
  return element("span", { class: "bar", "aria-hidden": "true" }, inner);
}

function cdns(pathways) {
  fill("cdns", pathways.map(p => {
    const kind = p.state === "enabled" ? HEALTH[p.health] : "idle";
    const says = p.state === "enabled" ? p.health : p.state;
    return [
      cell(p.id), cell(state(kind, `${says}: ${p.why}`), words), cell([bar(p.share), percent(p.share)]),
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

function link(id) {
  return element("a", { href: `#${encodeURIComponent(id)}` }, id);
}

async function json(path) {
  const answer = await fetch(router + path, { signal: AbortSignal.timeout(1500) });
  if (!answer.ok) throw new Error((await answer.json()).detail ?? answer.status);
  return answer.json();
}

async function look() {
  const trouble = document.getElementById("trouble");
  try {
    const now = await json("/v1/screen");
    const { plan, snapshot } = now;
    document.getElementById("word").textContent =
      `${plan.fallback ? "kill switch: static order" : "policy " + plan.policy}, plan ${plan.generation}, ` +
      `${plan.rules} rules · snapshot ${snapshot.version}, ${snapshot.age_ms === null ? "none" : seconds(snapshot.age_ms) + " old"}` +
      ` (at most ${seconds(snapshot.bound_ms)}) · ${clock(now.at_ms)}`;
    trouble.textContent = snapshot.stale ? "The snapshot is too old: static priority decides." : "";
    cdns(now.pathways);
    heat(now.heat);
    fill("breakers", now.breakers.map(b => [cell(b.region || "everywhere"), cell(b.pathway, words), cell(state(CIRCUITS[b.circuit], b.circuit.replace("_", " ")), words)]));
    fill("moves", now.moves.map(m => [cell(clock(m.at_ms)), cell(m.sentence, words), cell(element("code", {}, m.reason), words)]));
    fill("switches", now.switches.map(s => [cell(clock(s.at_ms)), cell(link(s.session_id), words), cell(s.pathway, words), cell([element("code", {}, s.reason), " " + s.sentence], words)]));
    document.body.removeAttribute("data-stale");
  } catch (error) {
    trouble.textContent = `The router at ${router} does not answer; what stands below is old.`;
    document.body.setAttribute("data-stale", "");
  }
  setTimeout(look, EVERY_MS);
}

async function explain() {
  const id = decodeURIComponent(location.hash.slice(1));
  const why = document.getElementById("why");
  if (!id) return;
  document.querySelector("#ask input").value = id;
  try {
    const session = await json(`/v1/sessions/${encodeURIComponent(id)}`);
    const { decision, verdict } = session;
    const parts = decision.candidates ?? [];
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...["CDN", "Score", "Share", "Made of"].map(n => element("th", {}, n)))), element("tbody", {}));
    for (const c of parts) {
      const made = Object.entries(c.parts).map(([name, value]) => `${name} ${Number(value).toFixed(1)}`).join(", ");
      table.tBodies[0].append(element("tr", {}, cell(c.cdn), cell(Number(c.score).toFixed(1)), cell(percent(c.share)), cell(made || "–", words)));
    }
    why.replaceChildren(
      element("p", {}, `${decision.pathways.join(", then ")}: ${decision.sentence ?? "not decided yet"} (`, element("code", {}, decision.reason ?? "–"), `; policy ${decision.policy ?? "–"}, snapshot ${decision.snapshot_version ?? "–"}, plan ${decision.generation ?? "–"}${decision.rule ? ", rule " + decision.rule : ""}, seed ${decision.seed ?? "–"})`),
      element("p", {}, state(verdict.obeyed === null ? "idle" : verdict.obeyed ? "ok" : "bad", verdict.sentence)),
      ...(parts.length ? [table] : []),
      element("details", {}, element("summary", {}, "Everything that is known"), element("pre", {}, JSON.stringify(session, null, 2))),
    );
  } catch (error) {
    why.replaceChildren(element("p", { class: "empty" }, `No record of ${id}: ${error.message}.`));
  }
}

document.getElementById("ask").addEventListener("submit", event => {
  event.preventDefault();
  const id = encodeURIComponent(new FormData(event.target).get("id").trim());
  if (location.hash === `#${id}`) explain(); else location.hash = id;
});
addEventListener("hashchange", explain);
explain();
look();
