import { action, api, cell, chosen, code, day, draw, facts, fill, link, show, span, state, words } from "./console.js";

const KINDS = { published: "ok", archived: "idle" };
const READY = { ready: "ok", pending: "warn", failed: "bad" };
const NEXT = { draft: ["review", "archived"], review: ["approved", "draft"], approved: ["published", "draft"], published: ["archived"], archived: ["draft"] };
const SHOWN = 50;
const TYPED_MS = 250;  // without a key: a word is asked for, not each of its letters
const find = document.getElementById("find");
let listed = "", page, items = [];

const again = show(async (current, signal) => {
  const asked = [...new FormData(find)].filter(([, value]) => value.trim());
  const path = `/v1/admin/contents?${new URLSearchParams([["limit", SHOWN], ...asked])}`;
  if (path !== listed || items.length <= SHOWN) {  // further pages stay where one looks
    const first = await api(path, { signal });
    if (!current()) return "";
    [listed, page, items] = [path, first, first.items];
  }
  const list = () => fill("titles", items.map(t => [
    cell(link(t.id, t.title || t.id), words), cell(code(t.id), words), cell(t.kind, words),
    cell(state(KINDS[t.status] ?? "warn", t.status), words), cell(String(t.version)), cell(day(t.updated_at)),
  ]));
  const more = document.getElementById("more");
  const offer = () => more.replaceChildren(page.next_cursor ? action("More", "", async () => {
    const after = page.next_cursor, further = await api(`${path}&cursor=${encodeURIComponent(after)}`);
    if (path !== listed || after !== page.next_cursor) return;  // another list by now
    page = further;
    items.push(...page.items);
    list();
    offer();
  }, "", path) : "");
  list();
  offer();
  if (chosen()) await detail(chosen(), current);
  document.getElementById("one").hidden = !chosen();
  return `${items.length}${page.next_cursor ? " and more" : ""} titles`;
});

async function detail(id, current) {
  const path = `/v1/admin/contents/${encodeURIComponent(id)}`;
  const [entry, assets] = await Promise.all([api(path), api(`${path}/assets`)]);
  if (!current()) return;
  const known = entry.document;
  document.getElementById("name").textContent = known.texts[0]?.title ?? id;
  draw("facts", facts([
    ["State", state(KINDS[entry.status] ?? "warn", entry.status)], ["Kind", known.kind],
    ["Year", String(known.year ?? "–")], ["Length", known.duration_ms ? span(known.duration_ms / 1000) : "–"],
    ["Rating", known.rating], ["Genres", known.genres.join(", ") || "–"],
    ["Languages", known.texts.map(t => t.lang).join(", ")], ["Version", `${entry.version}, ${day(entry.updated_at)}`],
  ]));
  draw("actions", ...NEXT[entry.status].flatMap(to => [action(`to ${to}`, "catalog:write", async () => {
    listed = "";
    try {
      await api(`/v1/catalog/contents/${encodeURIComponent(id)}/moves`, { method: "POST", body: { to }, headers: { "If-Match": `"v${entry.version}"` } });
    } finally {
      await again();
    }
  }), " "]));
  fill("assets", assets.items.map(a => [
    cell(code(a.origin_path)), cell(a.kind, words), cell(state(READY[a.state] ?? "idle", a.state), words),
    cell(a.duration_ms ? span(a.duration_ms / 1000) : "–"),
  ]));
  fill("windows", known.windows.map(w => [
    cell(w.licence), cell(w.territory === "**" ? "everywhere" : w.territory, words),
    cell(w.platform === "*" ? "any" : w.platform, words), cell(day(w.start_at)), cell(day(w.end_at)),
  ]));
}

let typed;
find.addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(again, TYPED_MS);
});
find.addEventListener("submit", event => event.preventDefault());
