import { action, api, cell, chosen, code, day, draw, element, facts, fill, link, show, state, words } from "./console.js";

const lateS = Number(document.getElementById("lag").dataset.lateS);

const again = show(async current => {
  const [backlog, letters] = await Promise.all([api("/v1/admin/outbox"), api("/v1/admin/dlq?limit=200")]);
  if (!current()) return "";
  const late = backlog.waiting_since ? (Date.now() - Date.parse(backlog.waiting_since)) / 1000 : 0;
  draw("lag", facts([
    ["Waiting for the relay", state(late > lateS ? "warn" : "ok", `${backlog.waiting} events`)],
    ["The oldest waits", backlog.waiting_since ? `${late.toFixed(0)} s` : "–"],
    ["Dead letters", state(backlog.dead ? "bad" : "ok", String(backlog.dead))],
  ]));
  draw("all", backlog.dead ? action("Put all back on their way", "admin", async () => {
    const job = await api("/v1/admin/dlq/replay", { method: "POST", body: {} });
    location.href = `/jobs#${job.id}`;
  }) : "");
  fill("letters", letters.items.map(l => [
    cell(day(l.at)), cell(about(l.topic), words), cell(l.consumer, words), cell(String(l.attempts)), cell(l.error, words), cell(link(l.id, code(l.id)), words),
  ]));
  const id = chosen();
  document.getElementById("one").hidden = !id;
  const found = id && (letters.items.find(each => each.id === id) ?? await letter(id));
  if (!current()) return "";
  if (id) detail(id, found);
  return `${backlog.dead} dead, ${backlog.waiting} waiting`;
}, 5000);

// What it was for; an endpoint's page says how that fares.
function about(topic) {
  const id = topic.startsWith("webhook:") && topic.slice(8);
  return id ? element("a", { href: `/webhooks#${encodeURIComponent(id)}` }, code(topic)) : topic;
}

// One that is not among those listed.
const letter = id => api(`/v1/admin/dlq/${encodeURIComponent(id)}`).catch(error => { if (error.status !== 404) throw error; });

function detail(id, letter) {
  document.getElementById("name").textContent = id;
  document.getElementById("event").textContent = letter ? JSON.stringify(letter.event, null, 2) : "";
  const path = `/v1/admin/dlq/${encodeURIComponent(id)}`;
  const act = (text, method, suffix, kind, sure = "") => action(text, "admin", async () => {
    if (sure && !confirm(sure)) return;
    await api(path + suffix, { method });
    await again();
  }, kind);
  draw("actions", ...(letter
    ? [letter.event ? act("Replay", "POST", "/replay", "") : "", " ", act("Drop", "DELETE", "", "danger", "Forget this event for good?")]
    : [element("span", { class: "empty" }, "No such letter: it was replayed or dropped.")]));
}
