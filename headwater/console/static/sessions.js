import { action, api, cell, chosen, clock, code, day, element, facts, fill, link, show, span, state, words } from "./console.js";

const find = document.getElementById("find");

const again = show(async current => {
  const page = await api("/v1/admin/sessions?limit=50");
  if (!current()) return "";
  fill("sessions", page.items.map(s => [
    cell(link(s.session_id)), cell(code(s.account_id), words), cell(s.title, words),
    cell(s.device_name || s.device_class, words), cell(s.cdn ?? "–", words),
    cell(span(s.position_ms / 1000)), cell(clock(s.started_at)), cell(clock(s.last_seen)),
  ]));
  await detail(chosen());
  return `${page.items.length}${page.next_cursor ? " and more" : ""} live`;
}, 5000);

async function detail(id) {
  document.getElementById("one").hidden = !id;
  if (!id) return;
  const put = (facts_, ...actions) => {
    document.getElementById("name").textContent = id;
    document.getElementById("facts").replaceChildren(facts_);
    document.getElementById("actions").replaceChildren(...actions);
  };
  try {
    const path = `/v1/admin/sessions/${encodeURIComponent(id)}`;
    const s = await api(path);
    const end = action("Terminate", "session:terminate", async () => {
      await api(`${path}/terminate`, { method: "POST" });
      await again();
    }, "danger");
    put(facts([
      ["State", s.ended_at ? state("idle", `over: ${s.end_reason} at ${clock(s.ended_at)}`) : state("ok", "running")],
      ["Account", code(s.account_id)], ["Device", code(s.device_id)], ["Plays", `${s.kind} ${s.target_id}`],
      ["CDN last told", s.cdn], ["Position", s.position_ms === null ? "–" : span(s.position_ms / 1000)],
      ["Started", `${day(s.started_at).slice(0, 10)} ${clock(s.started_at)}`], ["Heard of", clock(s.last_seen_at)],
    ]), element("a", { href: `/router#${encodeURIComponent(id)}` }, "Why did it go there?"), " ", s.ended_at ? "" : end);
  } catch (error) {
    if (error.status !== 404) throw error;
    put(element("p", { class: "empty" }, "No session has this id."));
  }
}

find.addEventListener("submit", event => {
  event.preventDefault();
  location.hash = encodeURIComponent(new FormData(find).get("id").trim());
});
