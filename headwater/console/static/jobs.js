import { action, api, cell, chosen, code, day, draw, facts, fill, link, may, show, state, trouble, words } from "./console.js";

const STATES = { done: "ok", held: "warn", failed: "bad" };
const KINDS = { guide_import: "guide import", catalog_import: "import of titles", recording_copy: "private copy", dlq_replay: "replay of dead letters", purge: "purge" };
const find = document.getElementById("find"), purge = document.getElementById("purge");
const shown = job => state(STATES[job.state] ?? "idle", job.state);
const count = job => job.total === null ? String(job.done) : `${job.done} of ${job.total}`;

const again = show(async (current, signal) => {
  const asked = [...new FormData(find)].filter(([, value]) => value);
  const page = await api(`/v1/admin/jobs?${new URLSearchParams([["limit", "50"], ...asked])}`, { signal });
  if (!current()) return "";
  fill("jobs", page.items.map(job => [
    cell(day(job.asked_at)), cell(KINDS[job.kind], words), cell(shown(job), words), cell(count(job)),
    cell(job.target ?? "–", words), cell(job.asked_by ?? "a command", words), cell(link(job.id), words),
  ]));
  document.getElementById("one").hidden = !chosen();
  if (chosen()) await detail(chosen(), current);
  const open = page.items.filter(job => ["queued", "running"].includes(job.state)).length;
  return `${page.items.length}${page.next_cursor ? " and more" : ""} jobs, ${open} under way`;
}, 5000);

async function detail(id, current) {
  const path = `/v1/admin/jobs/${encodeURIComponent(id)}`, job = await api(path);
  if (!current()) return;
  document.getElementById("name").textContent = `${KINDS[job.kind]}${job.target ? ` of ${job.target}` : ""}`;
  draw("facts", facts([
    ["State", shown(job)], ["Done", count(job)], ["Error", job.error ? code(job.error) : "–"], ["Why", job.detail],
    ["Asked", `${day(job.asked_at)} by ${job.asked_by ?? "a command"}`],
    ["Began", job.started_at ? day(job.started_at) : "–"], ["Ended", job.ended_at ? day(job.ended_at) : "–"], ["Id", code(job.id)],
  ]));
  const open = ["queued", "running"].includes(job.state) && !["purge", "recording_copy"].includes(job.kind);
  draw("actions", open ? action("Cancel", "admin", async () => {
    await api(`${path}/cancel`, { method: "POST" });
    await again();
  }, "danger") : "");
  document.getElementById("report").textContent = job.report ? JSON.stringify(job.report, null, 2) : "nothing yet";
}

find.addEventListener("input", again);
find.addEventListener("submit", event => event.preventDefault());
document.getElementById("purging").hidden = !may("admin");
purge.addEventListener("submit", async event => {
  event.preventDefault();
  const { what, value, reason } = Object.fromEntries(new FormData(purge));
  const everything = what === "path" && /^\/[^/]+\/$/.test(value.trim());
  if (everything && !confirm(`All below ${value.trim()}, at every CDN?`)) return;
  try {
    const made = await api("/v1/admin/purge", { method: "POST", body: { [what]: value.trim(), reason: reason || null } });
    document.getElementById("asked").textContent = `${made.cdns.length} CDNs were asked for ${made.paths.join(", ")}.`;
    purge.reset();
    await again();
  } catch (error) {
    trouble(error.message);
  }
});
