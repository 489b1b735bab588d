import { action, api, cell, chosen, clock, code, day, draw, element, facts, fill, link, moment, show, state, words } from "./console.js";

const STATES = { active: "ok", paused: "warn", disabled: "bad" };
const WHY = { failing: "it failed too often", asked: "somebody paused it", gone: "it answered 410 Gone" };
const SENT = { pending: ["idle", "waiting"], done: ["ok", "taken"], dead: ["bad", "given up"], dropped: ["bad", "dropped"] };
const TRIES = { standard: "5 within 75 s", extended: "10 within 75 h" };
const SHOWN = 50, FEW = 3, NEEDS = "webhook:manage", ALL = "/v1/webhooks";
const find = document.getElementById("find"), fresh = document.getElementById("fresh");
const said = document.getElementById("said");
let wanted = SHOWN;

const when = at => at ? day(at) : "never";

// An active one whose last attempt failed is not well.
function health(e) {
  const failing = e.state === "active" && e.last_failure_at && !(Date.parse(e.last_success_at) > Date.parse(e.last_failure_at));
  return failing ? state("warn", "active, failing") : state(STATES[e.state], e.state);
}

const why = e => `${WHY[e.reason] ?? e.reason ?? "–"}${e.probe_at ? `, next try ${clock(e.probe_at)}` : ""}`;
const few = topics => `${topics.slice(0, FEW).join(", ")}${topics.length > FEW ? ` and ${topics.length - FEW} more` : ""}`;

// As many as were asked for by now, all as they are at present.
async function listed(signal) {
  const items = [];
  let next = "";
  do {
    const page = await api(`${ALL}?limit=${SHOWN}${next && `&cursor=${encodeURIComponent(next)}`}`, { signal });
    items.push(...page.items);
    next = page.next_cursor;
  } while (next && items.length < wanted);
  return [items, next];
}

const again = show(async (current, signal) => {
  const [items, next] = await listed(signal);
  if (!current()) return "";
  fill("endpoints", items.map(e => [
    cell([link(e.id, e.url), element("br", {}), code(e.id)], words), cell(health(e), words), cell(why(e), words), cell(few(e.topics), words),
    cell(when(e.last_success_at)), cell(when(e.last_failure_at)), cell(String(e.queued)), cell(String(e.dropped)),
  ]));
  draw("more", next ? action("More", "", async () => {
    wanted += SHOWN;
    await again();
  }, "", ALL) : "");
  await detail(chosen(), current, signal);
  const away = items.filter(e => e.state !== "active").length;
  return `${items.length}${next ? " and more" : ""} endpoint${items.length === 1 ? "" : "s"}, ${away} of them paused or disabled`;
}, 5000);

async function detail(id, current, signal) {
  document.getElementById("one").hidden = !id;
  if (!id) return;
  const path = `${ALL}/${encodeURIComponent(id)}`, asked = new FormData(find).get("status");
  const about = `${path}/deliveries?limit=${SHOWN}${asked && `&status=${asked}`}`;
  const [e, sent] = await Promise.all([api(path, { signal }), api(about, { signal })]).catch(error => {
    if (error.status !== 404) throw error;
    return [];
  });
  if (!current()) return;
  document.getElementById("sent").hidden = !e;
  document.getElementById("name").textContent = e?.url ?? id;
  if (!e) {
    draw("facts", element("p", { class: "empty" }, "No endpoint has this id: it was removed."));
    draw("actions");
    return;
  }
  draw("facts", facts([
    ["State", health(e)], ["Why", why(e)], ["Topics", e.topics.join(", ")],
    ...Object.entries(e.filters).map(([name, values]) => [`Only where ${name} is`, values.join(" or ")]),
    ["Tries", TRIES[e.schedule]], ["Messages that wait", String(e.queued)], ["Messages dropped", String(e.dropped)],
    ["Last success", e.last_success_at ? moment(e.last_success_at) : "never"], ["Last failure", e.last_failure_at ? moment(e.last_failure_at) : "never"],
    ["Made", day(e.created_at)], ["Id", code(e.id)],
  ]));
  const act = (text, verb, then = () => {}, sure = "", kind = "") => action(text, NEEDS, async () => {
    if (sure && !confirm(sure)) return;
    then(await api(`${path}/${verb}`, { method: "POST" }));
    await again();
  }, kind, id);
  draw("actions",
    e.reason === "asked" || e.state === "disabled" ? "" : act("Pause", "pause"), " ",
    e.state === "active" ? "" : act("Resume", "resume"), " ",
    act("Test", "test", told => tested(id, told)), " ",
    act("Rotate secret", "rotate", made => reveal(e.url, made), `A new secret for ${e.url}?`, "danger"));
  fill("deliveries", sent.items.map(d => [
    cell(day(d.created_at)), cell(state(...SENT[d.status]), words), cell(d.event_type, words),
    cell(d.log.length ? d.log.map(each => attempt(each, d.created_at)) : "–", words),
    cell(!d.next_at ? "–" : e.state === "active" ? moment(d.next_at) : "once it is active"), cell(code(d.event_id), words),
  ]));
}

function attempt(each, made) {
  const at = moment(each.at).startsWith(day(made).slice(0, 10)) ? clock(each.at) : moment(each.at);
  return element("div", {}, `${at} ${each.error ?? `status ${each.status}`}, ${each.duration_ms} ms`);
}

function tested(id, told) {
  if (chosen() !== id) return;
  const took = `${told.duration_ms} ms`;
  said.replaceChildren(told.delivered ? state("ok", `Test message taken: status ${told.status} in ${took}`) : state("bad", `Test message refused: ${told.error} after ${took}`));
}

// It stays until whoever asked has it, wherever on the page they went meanwhile.
function reveal(url, made) {
  const kept = element("button", { type: "button" }, "I have it");
  kept.addEventListener("click", () => fresh.replaceChildren());
  fresh.replaceChildren(
    element("h2", {}, `New secret of ${url}`),
    element("p", {}, `Shown this once. The former one signs as well until ${moment(made.previous_until)}.`),
    element("p", {}, code(made.secret), " ", kept));
}

addEventListener("hashchange", () => said.replaceChildren());
find.addEventListener("input", again);
find.addEventListener("submit", event => event.preventDefault());
