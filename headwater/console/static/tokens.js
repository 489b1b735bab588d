import { api, cell, code, day, fill, may, show, trouble, words } from "./console.js";
import { EDGES } from "./edges.js";

const ask = document.getElementById("ask");
const TIMES = new Set(["exp", "nbf", "iat"]);

function told(name, value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return [code(text), TIMES.has(name) && Number.isFinite(value) ? ` ${day(1000 * value)}` : ""];
}

// Which edges evaluate a claim: its own row, else the rows of its forms.
function judges(name) {
  const forms = Object.keys(EDGES).filter(row => row.startsWith(`${name},`) || row.startsWith(`${name} `));
  const told = row => EDGES[row].join(", ") || "none";
  if (EDGES[name]) return told(name);
  return forms.map(row => `${row}: ${told(row)}`).join("; ") || "none";
}

ask.addEventListener("submit", async event => {
  event.preventDefault();
  trouble("");
  const given = Object.fromEntries(new FormData(ask));
  try {
    const body = { token: given.token.trim(), uri: given.uri.trim(), method: given.method };
    if (given.ip.trim()) body.ip = given.ip.trim();
    const said = await api("/v1/tokens/introspect", { method: "POST", body });
    const verdict = document.getElementById("verdict");
    verdict.dataset.state = said.active ? "ok" : "bad";
    verdict.textContent = `${said.active ? "good" : "refused"}: ${said.reason}${said.claim ? ` (claim ${said.claim})` : ""}${said.kid ? `, key ${said.kid}` : ""}`;
    fill("claims", Object.entries(said.claims).map(([name, value]) => [
      cell(name, said.claim === name ? { "data-state": "bad" } : {}), cell(told(name, value), words), cell(judges(name), words),
    ]));
    document.getElementById("one").hidden = false;
  } catch (error) {
    document.getElementById("one").hidden = true;
    trouble(error.message);
  }
});

show(async () => {
  await api("/v1/admin/outbox");
  return may("tokens:introspect") ? "paste a token: it is judged as an edge would" : "this sign-in may not judge tokens: it lacks tokens:introspect";
});
