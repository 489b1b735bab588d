// The demo page: start a session like an app would, play it, and tell what happens.

import { pictureAge } from "./clock.js";
import { PLAYERS } from "./players.js";

const setup = JSON.parse(document.getElementById("setup").textContent);
const $ = (id) => document.getElementById(id);
const video = $("video");

const state = {
  content: setup.contents[0].id,
  player: "hls.js",
  near: "", // "yes": low latency, where the content is live
  playing: null, // the attached player
  session: null, // answer of playback/start
  drm: null, // where licences are asked for, of what is protected
  cdn: null, // pathway of the last segment
  segments: {}, // segments loaded per pathway
  errors: [],
  stalls: 0,
  started: false,
  story: null,
};
window.headwater = state; // for those who look under the bonnet, and for tests

// -- talking to the control API ---------------------------------------------------------------

let bearer = null;
let heart = 0;

const device = {
  id: (localStorage.device ??= `dev_${crypto.randomUUID()}`),
  class: "web",
  name: "Demo page",
};

async function call(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  const keepalive = method === "POST"; // a stop sent while the page goes away still arrives
  const answer = await fetch(path, { method, headers, keepalive, body: body && JSON.stringify(body) });
  const json = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw Object.assign(new Error(json.detail || json.title), { problem: json });
  return json;
}

async function signIn() {
  const grant = { grant_type: "password", username: setup.user, password: setup.password };
  bearer = (await call("POST", "/v1/auth/token", grant)).access_token;
}

// -- playing ------------------------------------------------------------------------------------

let turn = 0; // of two starts in flight, only the later one may attach a player

async function play() {
  stop();
  const mine = ++turn;
  const content = setup.contents.find(({ id }) => id === state.content);
  tell(`Starting ${content.title} in ${state.player}`);
  try {
    if (!bearer) await signIn();
    const session = await call("POST", "/v1/web/playback/start", { ...content.request, device });
    if (mine !== turn) return end(session);
    state.session = session;
  } catch (error) {
    tell(`Refused: ${error.message}`, error.problem?.code);
    show("start", error.problem ?? String(error));
    return;
  }
  const near = state.near !== "" && "channel_id" in content.request;
  const drm = state.session.drm.find(({ system }) => system === content.drm) ?? null;
  state.drm = drm;
  if (drm) tell(`Its key comes from ${new URL(drm.licence_url).pathname}, for this session's token`);
  Object.assign(state, { segments: {}, errors: [], stalls: 0, started: false });
  state.playing = PLAYERS[state.player](video, urlsOf(state.session), { segment, error }, near, drm);
  heart = setInterval(beat, state.session.heartbeat.interval_s * 1000);
  showSession();
}

function stop() {
  state.playing?.destroy();
  state.playing = null;
  clearInterval(heart);
  if (state.session) end(state.session);
  state.session = null;
  state.cdn = null;
  drawPath();
}

function end(session) {
  call("POST", new URL(session.stop_url).pathname, {}).catch(() => {});
}

/** hls.js knows ClearKey as browsers do; master.m3u8 tells it by key URLs, for other players. */
function urlsOf({ manifests: { hls, dash } }) {
  const near = dash.replace("/manifest.mpd", "/ll.mpd");
  return { hls: state.drm ? hls.replace("/master.m3u8", "/master.w3c.m3u8") : hls, dash, near };
}

function segment(url) {
  const cdn = setup.edges.find((edge) => url.startsWith(edge.base_url))?.id ?? "elsewhere";
  state.segments[cdn] = (state.segments[cdn] ?? 0) + 1;
  if (cdn === state.cdn) return;
  if (state.cdn) tell(`The player moved from ${state.cdn} to ${cdn}`);
  state.cdn = cdn;
  drawPath();
}

function error(text, fatal) {
  state.errors.push({ text, fatal, at: Date.now() });
  if (fatal) tell(`Player error: ${text}`);
}

video.addEventListener("playing", () => (state.started = true));
video.addEventListener("waiting", () => {
  if (state.started && !video.seeking) state.stalls += 1;
});

// -- telling ------------------------------------------------------------------------------------

function tell(sentence, reason) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString([], { hour12: false });
  line.append(time, " ", sentence);
  if (reason) {
    const code = document.createElement("code");
    code.textContent = reason;
    line.append(" ", code);
  }
  $("log").prepend(line);
  while ($("log").children.length > 8) $("log").lastChild.remove();
}

function beat() {
  const position_ms = state.content === setup.live ? 0 : Math.round(video.currentTime * 1000);
  const report = {
    position_ms,
    state: video.paused ? "paused" : video.readyState < 3 ? "buffering" : "playing",
    cdn: state.cdn ?? undefined,
    bitrate_kbps: Math.round(state.bitrate / 1000) || undefined,
    buffer_ms: Math.round(1000 * state.buffer),
  };
  call("POST", new URL(state.session.heartbeat.url).pathname, report).catch((error) => tell(error.message));
}

function box(id, { state: mood, value, note }) {
  const element = $(`box-${id}`);
  element.dataset.state = mood;
  element.querySelector(".value").textContent = value;
  element.querySelector(".note").textContent = note;
}

function drawPath() {
  for (const edge of setup.edges) $(`box-${edge.id}`).classList.toggle("used", edge.id === state.cdn);
}

let toldMove = null;

function onStory(story) {
  state.story = story;
  box("encoder", story.encoder);
  box("origin", story.origin);
  for (const edge of setup.edges) box(edge.id, story.edges[edge.id]);
  for (const button of document.querySelectorAll("[data-switch]")) {
    const on = story.edges[button.dataset.edge].mode === button.dataset.switch;
    button.setAttribute("aria-pressed", on);
  }
  const move = story.moves[0];
  if (move && toldMove !== null && move.at !== toldMove) tell(`The router ${move.sentence}`, move.reason);
  toldMove = move?.at ?? 0;
}

const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "–");

function tick() {
  const ahead = [...Array(video.buffered.length).keys()]
    .filter((i) => video.buffered.start(i) <= video.currentTime + 0.1 && video.buffered.end(i) >= video.currentTime)
    .map((i) => video.buffered.end(i) - video.currentTime)[0];
  const age = state.content === setup.live ? pictureAge(video) : null;
  const bitrate = state.playing?.stats().bitrate ?? 0;
  Object.assign(state, { latency: age, buffer: ahead ?? 0, bitrate });
  $("cdn").textContent = state.cdn ?? "–";
  $("bitrate").textContent = bitrate ? fixed(bitrate / 1e6, 2) : "–";
  $("buffer").textContent = fixed(ahead, 1);
  $("latency").textContent = age === null ? "–" : fixed(age, 1);
  $("stalls").textContent = String(state.stalls);
  const mood = state.playing === null ? "idle" : video.paused ? "idle" : video.readyState < 3 ? "warn" : "ok";
  box("player", {
    state: mood,
    value: age === null ? `${fixed(ahead, 1)} s` : `${fixed(age, 1)} s`,
    note: age === null ? "of buffer" : "behind live",
  });
}

// -- the drawer -----------------------------------------------------------------------------------

function show(tab, content) {
  const text = typeof content === "string" ? content : JSON.stringify(content, null, 2);
  $(`show-${tab}`).textContent = text;
}

async function showSession() {
  const session = state.session;
  show("start", session);
  const manifest = urlsOf(session)[state.player === "hls.js" ? "hls" : "dash"];
  try {
    const shown = await call("POST", "/demo/show", { manifest_url: manifest });
    show("token", shown.token);
    show("steering", shown.steering);
    show("before", shown.before);
    markChanges(shown.before, shown.after);
  } catch (problem) {
    show("token", String(problem));
  }
}

/** The proxied manifest, with the lines that the origin's lacks marked. */
function markChanges(before, after) {
  const known = new Set(before.split("\n"));
  const lines = after.split("\n").map((text) => {
    const line = document.createElement(known.has(text) ? "span" : "mark");
    line.textContent = text + "\n";
    return line;
  });
  $("show-after").replaceChildren(...lines);
}

// -- wiring -----------------------------------------------------------------------------------------

for (const group of ["content", "player", "near"]) {
  for (const input of document.querySelectorAll(`input[name=${group}]`)) {
    input.addEventListener("change", () => {
      state[group] = input.value;
      play();
    });
  }
}

for (const button of document.querySelectorAll("[data-switch]")) {
  button.addEventListener("click", async () => {
    const { edge, switch: mode } = button.dataset;
    const wanted = button.getAttribute("aria-pressed") === "true" ? "ok" : mode;
    tell({ ok: `${edge} is well again`, slow: `${edge} made slow`, dead: `${edge} killed` }[wanted]);
    await call("POST", `/demo/edges/${edge}`, { mode: wanted });
  });
}

for (const tab of document.querySelectorAll("[role=tab]")) {
  tab.addEventListener("click", () => {
    for (const other of document.querySelectorAll("[role=tab]")) other.setAttribute("aria-selected", other === tab);
    for (const panel of document.querySelectorAll("[role=tabpanel]")) panel.hidden = panel.id !== tab.getAttribute("aria-controls");
  });
}

new EventSource("/demo/story").onmessage = (event) => onStory(JSON.parse(event.data));
setInterval(tick, 250);
addEventListener("pagehide", stop);
play();
