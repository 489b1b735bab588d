import { api, cell, clock, element, fill, seconds, show, state, words } from "./console.js";

const KINDS = { ok: "ok", late: "bad" };
let since = null;

show(async () => {
  const now = await api("/v1/admin/overview");
  const count = now.trouble.length;
  if (!count) since = null;
  else since ??= now.at;
  const verdict = document.getElementById("verdict");
  verdict.dataset.state = count ? "bad" : "ok";
  verdict.textContent = count
    ? `${count} ${count === 1 ? "thing is" : "things are"} wrong, seen here since ${clock(since)}`
    : "Nothing is wrong";
  document.getElementById("troubles").replaceChildren(...now.trouble.map(text => element("li", {}, text)));
  fill("services", now.services.map(s => [
    cell(s.name), cell(state(s.ready ? "ok" : "bad", s.ready ? "ready" : "not ready"), words),
    cell(s.why.join(", ") || "–", words),
  ]));
  fill("channels", now.channels.map(c => [
    cell(element("a", { href: `/channels#${encodeURIComponent(c.id)}` }, c.id)),
    cell(state(KINDS[c.state], c.state), words), cell(seconds(c.edge_age_s)),
  ]));
  fill("breakers", now.breakers.map(b => [
    cell(b.region || "everywhere"), cell(b.pathway, words), cell(state("bad", b.circuit.replace("_", " ")), words),
  ]));
}, 3000);
