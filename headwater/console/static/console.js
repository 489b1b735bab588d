// The shell of every page: sign-in, calls of the API, tables, keys.

const KEPT = "headwater-token";
const RETRY_MS = 5000;
const NOT_GOOD = "The sign-in is over or the token is not good.";

export const words = { class: "words", dir: "auto" };

export const clock = at => new Date(at).toLocaleTimeString("en-GB");
const zoned = at => `${clock(at)} ${new Date(at).toLocaleTimeString("en-GB", { timeZoneName: "short" }).split(" ").pop()}`;
export const day = at => new Date(at).toLocaleString("sv-SE").slice(0, 16);
export const moment = at => `${day(at).slice(0, 10)} ${clock(at)}`;
export const state = (kind, text) => element("span", { "data-state": kind }, text);
export const code = text => element("code", {}, text ?? "–");
export const chosen = () => decodeURIComponent(location.hash.slice(1));

export function element(name, attributes, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

export function cell(content, attributes = {}) {
  return element("td", attributes, ...[content].flat());
}

export function link(id, text = id) {
  return element("a", { href: `#${encodeURIComponent(id)}`, dir: "auto" }, text);
}

// New content in a box: focus stays on what has the same words, and what was unfolded stays so.
function redraw(box, nodes) {
  const at = document.activeElement, focused = at !== box && box.contains(at);
  const unfolded = box.querySelector("details[open]");
  box.replaceChildren(...nodes);
  if (unfolded) box.querySelector("details")?.setAttribute("open", "");
  if (focused) [...box.querySelectorAll(at.tagName)].find(each => each.textContent === at.textContent)?.focus({ preventScroll: true });
}

export const draw = (id, ...nodes) => redraw(document.getElementById(id), nodes);

export function fill(id, rows) {
  const table = document.getElementById(id);
  redraw(table.tBodies[0], rows.map(cells => element("tr", {}, ...cells)));
  const empty = table.parentElement.querySelector(".empty");
  if (empty) { empty.hidden = rows.length > 0; table.hidden = rows.length === 0; }
}

// What is wider than the window scrolls by keys as well.
const boxes = new ResizeObserver(entries => entries.forEach(({ target }) =>
  target.scrollWidth > target.clientWidth ? target.setAttribute("tabindex", "0") : target.removeAttribute("tabindex")));
document.querySelectorAll("section").forEach(box => boxes.observe(box));

export function facts(pairs) {
  return element("dl", {}, ...pairs.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, ...[value ?? "–"].flat()))));
}

export function seconds(value, digits = 1) {
  return value === null || value === undefined ? "–" : `${value.toFixed(digits)} s`;
}

export function span(total) {
  const whole = Math.round(total), two = value => String(value).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

// -- sign-in ------------------------------------------------------------------------------------

function scopes() {
  try {
    const body = sessionStorage.getItem(KEPT).split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(atob(body)).scope.split(" ");
  } catch {
    return [];
  }
}

const granted = scopes().join();  // what the page was drawn for
const ACTING = ["admin", "catalog:write", "entitlement:write", "epg:import", "rights:write", "session:terminate", "webhook:manage"];

export const may = scope => scopes().includes(scope);

const busy = new Set();  // names of the actions under way

// A button for who has the scope, nothing for a reader; it is pressed once at a time, however often
// it is drawn anew. `of` names what it acts on.
export function action(text, needs, does, kind = "", of = chosen()) {
  if (needs && !may(needs)) return "";
  const name = `${text} ${of}`, button = element("button", { class: kind, type: "button", name }, text);
  button.disabled = busy.has(name);
  button.addEventListener("click", async () => {
    busy.add(name);
    button.disabled = true;
    trouble("");
    try { await does(); } catch (error) { trouble(error.message); }
    busy.delete(name);
    [button, ...document.getElementsByName(name)].forEach(each => { each.disabled = false; });
  });
  return button;
}

// What comes while something is pressed waits until it is let go: a click begins and ends on one node.
const PRESSED_MS = 30_000;
let release = () => {};
export let released = Promise.resolve();
const press = () => { released = new Promise(done => { release = done; setTimeout(done, PRESSED_MS); }); };
addEventListener("pointerdown", press);
addEventListener("keydown", event => { if (event.key === " ") press(); });
for (const up of ["pointerup", "pointercancel", "keyup"]) addEventListener(up, () => setTimeout(release));

// A file goes as it is, and may take its time.
export async function api(path, { method = "GET", body, signal, headers: more = {} } = {}) {
  const file = body instanceof Blob;
  const token = sessionStorage.getItem(KEPT), headers = { Authorization: `Bearer ${token ?? ""}`, ...more };
  if (body !== undefined) headers["Content-Type"] = file ? "application/octet-stream" : "application/json";
  const answer = await fetch(path, {
    method, headers, body: file || body === undefined ? body : JSON.stringify(body),
    signal: AbortSignal.any([AbortSignal.timeout(file ? 300_000 : 10_000), ...(signal ? [signal] : [])]),
  }).catch(() => { throw new Error("The API does not answer"); });
  const read = answer.status === 204 ? null : answer.json();
  const said = await (answer.ok ? read : read.catch(() => ({})));
  await released;
  if (answer.ok) return said;
  const error = new Error(said.detail ?? `the API answered ${answer.status}`);
  Object.assign(error, { code: said.code ?? "", status: answer.status });
  if (answer.status === 401) {
    error.message = token ? NOT_GOOD : "";
    if (sessionStorage.getItem(KEPT) === token) sessionStorage.removeItem(KEPT);
    door(error.message);
  }
  throw error;
}

export function trouble(text) {
  document.getElementById("trouble").textContent = text;
}

function door(why) {
  document.getElementById("content").hidden = true;
  document.getElementById("door").hidden = false;
  document.getElementById("word").textContent = "";
  document.getElementById("who").textContent = "";
  document.getElementById("sign-out").hidden = true;
  if (why) trouble(why);
}

// What was typed into the page stays, if the next sign-in may do the same.
function signIn(event, again) {
  event.preventDefault();
  sessionStorage.setItem(KEPT, new FormData(event.target).get("token").trim());
  event.target.reset();
  if (!scopes().length) {
    sessionStorage.removeItem(KEPT);
    return trouble(NOT_GOOD);
  }
  if (scopes().join() !== granted) return location.reload();
  trouble("");
  document.getElementById("door").hidden = true;
  signedIn();
  again();
}

function signedIn() {
  if (!scopes().length) return;
  document.getElementById("who").textContent = ACTING.some(may) ? "operator" : "read only";
  document.getElementById("sign-out").hidden = false;
}

// -- the page -----------------------------------------------------------------------------------

// Whether it is worth trying again.
function failed(error, shown) {
  if (error.status === 401) return false;
  if (error.status === 403) {
    door(`${error.message}. This page needs an operator's token.`);
    return false;
  }
  const text = `${error.message}; ${shown ? "what stands below may be old" : "it is asked again"}.`;
  trouble(text);
  document.body.setAttribute("data-stale", text);
  return true;
}

// Calls `look` now, on every change of the address and each `everyMs`; 0: not again by itself. What
// failed is tried again. What it asks under the signal is given up once it is called anew.
export function show(look, everyMs = 0) {
  let timer, turn = 0, shown = false, former = new AbortController();
  const again = async () => {
    clearTimeout(timer);
    former.abort();
    former = new AbortController();
    const mine = ++turn;
    let next = everyMs;
    try {
      const said = await look(() => mine === turn, former.signal);
      if (mine !== turn) return;
      shown = true;
      document.getElementById("content").hidden = false;
      document.getElementById("word").textContent = `${said ? said + " · " : ""}at ${zoned(Date.now())}`;
      if (document.getElementById("trouble").textContent === document.body.getAttribute("data-stale")) trouble("");
      document.body.removeAttribute("data-stale");
    } catch (error) {
      if (mine !== turn) return;
      next = failed(error, shown) ? everyMs || RETRY_MS : 0;
    }
    if (next && mine === turn) timer = setTimeout(again, next);
  };
  document.getElementById("sign-in")?.addEventListener("submit", event => signIn(event, again));
  document.getElementById("sign-out").addEventListener("click", () => { sessionStorage.removeItem(KEPT); location.reload(); });
  signedIn();
  addEventListener("hashchange", () => again().then(() => document.getElementById("one")?.scrollIntoView({ block: "nearest" })));
  again();
  return again;
}

addEventListener("keydown", event => {
  if (event.target.closest("input, textarea, video") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") { event.preventDefault(); document.querySelector("#content input, #content textarea")?.focus(); }
  const pages = document.querySelectorAll("nav a");
  if (/^[0-9]$/.test(event.key)) pages[(Number(event.key) + 9) % 10]?.click();
});
