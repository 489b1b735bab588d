// The shell of every page: sign-in, calls of the API, tables, keys.

const KEPT = "headwater-token";

export const words = { class: "words" };

export const clock = at => new Date(at).toLocaleTimeString("en-GB");
export const day = at => new Date(at).toLocaleString("sv-SE").slice(0, 16);
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
  return element("a", { href: `#${encodeURIComponent(id)}` }, text);
}

export function fill(id, rows) {
  const table = document.getElementById(id);
  table.tBodies[0].replaceChildren(...rows.map(cells => element("tr", {}, ...cells)));
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

const ACTING = ["admin", "catalog:write", "session:terminate"];

export const may = scope => scopes().includes(scope);

// A button for who has the scope, nothing for a reader.
export function action(text, needs, does, kind = "") {
  if (!may(needs)) return "";
  const button = element("button", { class: kind, type: "button" }, text);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try { await does(); } catch (error) { trouble(error.message); }
    button.disabled = false;
  });
  return button;
}

export async function api(path, { method = "GET", body } = {}) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEPT) ?? ""}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(10000),
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.json().catch(() => ({}));
  const error = new Error(problem.detail ?? `the API answered ${answer.status}`);
  throw Object.assign(error, { code: problem.code ?? "", status: answer.status });
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
  trouble(why);
}

function signIn(event) {
  event.preventDefault();
  sessionStorage.setItem(KEPT, new FormData(event.target).get("token").trim());
  location.reload();
}

// -- the page -----------------------------------------------------------------------------------

function failed(error) {
  if (error.status === 401) {
    door(sessionStorage.getItem(KEPT) ? "The sign-in is over or the token is not good." : "");
    sessionStorage.removeItem(KEPT);
    return false;
  }
  if (error.status === 403) {
    door(`${error.message}. This page needs an operator's token.`);
    return false;
  }
  trouble(`${error.message}; what stands below may be old.`);
  document.body.setAttribute("data-stale", "");
  return true;
}

// Calls `look` now, on every change of the address and each `everyMs`; 0: not again by itself.
export function show(look, everyMs = 0) {
  let timer, turn = 0;
  const again = async () => {
    clearTimeout(timer);
    const mine = ++turn;
    let goOn = true;
    try {
      const said = await look(() => mine === turn);
      if (mine !== turn) return;
      document.getElementById("content").hidden = false;
      document.getElementById("word").textContent = `${said ? said + " · " : ""}at ${clock(Date.now())}`;
      if (document.body.hasAttribute("data-stale")) trouble("");
      document.body.removeAttribute("data-stale");
    } catch (error) {
      goOn = mine === turn && failed(error);
    }
    if (goOn && everyMs && mine === turn) timer = setTimeout(again, everyMs);
  };
  document.getElementById("sign-in").addEventListener("submit", signIn);
  const out = document.getElementById("sign-out");
  out.addEventListener("click", () => { sessionStorage.removeItem(KEPT); location.reload(); });
  if (scopes().length) {
    document.getElementById("who").textContent = ACTING.some(may) ? "operator" : "read only";
    out.hidden = false;
  }
  addEventListener("hashchange", again);
  again();
  return again;
}

addEventListener("keydown", event => {
  if (event.target.closest("input, textarea, video") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") { event.preventDefault(); document.querySelector("#content input, #content textarea")?.focus(); }
  const pages = document.querySelectorAll("nav a");
  if (/^[0-9]$/.test(event.key)) pages[(Number(event.key) + 9) % 10]?.click();
});
