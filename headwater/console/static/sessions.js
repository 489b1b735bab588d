import { action, api, cell, chosen, clock, code, day, draw, element, facts, fill, link, moment, show, span, state, words } from "./console.js";
import { decision } from "./decision.js";

const find = document.getElementById("find");

const again = show(async current => {
  const page = await api("/v1/admin/sessions?limit=50");
  if (!current()) return "";
  fill("sessions", page.items.map(s => [
    cell(link(s.session_id)), cell(code(s.account_id), words), cell(s.title, words),
    cell(s.device_name || s.device_class, words), cell(s.cdn ?? "–", words),
    cell(span(s.position_ms / 1000)), cell(day(s.started_at)), cell(clock(s.last_seen)),
  ]));
  await detail(chosen(), current);
  return `${page.items.length}${page.next_cursor ? " and more" : ""} live`;
}, 5000);

async function detail(id, current) {
  document.getElementById("one").hidden = !id;
  if (!id) return;
  const put = (facts_, actions, why) => {
    if (!current()) return;
    document.getElementById("name").textContent = id;
    draw("facts", facts_);
    draw("actions", ...actions);
    document.getElementById("decision").hidden = !why.length;
    draw("why", ...why);
  };
  try {
    const path = "/v1/admin/sessions/";
    const s = await api(path + encodeURIComponent(id));
    const why = await decision(s.cti);
    const end = action("Terminate", "session:terminate", async () => {
      await api(`${path}${encodeURIComponent(s.id)}/terminate`, { method: "POST" });
      await again();
    }, "danger");
    put(facts([
      ["State", s.ended_at ? state("idle", `over: ${s.end_reason} at ${moment(s.ended_at)}`) : state("ok", "running")],
      ["Session", code(s.id)], ["Token", code(s.cti)], ["Account", code(s.account_id)], ["Device", code(s.device_id)], ["Plays", `${s.kind} ${s.target_id}`],
      ["CDN last told", s.cdn], ["Position", s.position_ms === null ? "–" : span(s.position_ms / 1000)],
      ["Started", moment(s.started_at)], ["Heard of", moment(s.last_seen_at)],
    ]), s.ended_at ? [] : [end], why);
  } catch (error) {
    if (error.status !== 404) throw error;
    put(element("p", { class: "empty" }, "No session has this id, nor has its token."), [], []);
  }
}

find.addEventListener("submit", event => {
  event.preventDefault();
  location.hash = encodeURIComponent(new FormData(find).get("id").trim());
});
