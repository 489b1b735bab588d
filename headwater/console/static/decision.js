// What the router knows of a session, by its token's id: where it was sent, why, whether it obeyed.

import { cell, code, element, moment, released, state, words } from "./console.js";

const OBEYED = new Map([[null, "idle"], [true, "ok"], [false, "bad"]]);

export const percent = share => share === null ? "–" : `${(100 * share).toFixed(1)} %`;

export async function router(path) {
  const answer = await fetch(document.body.dataset.router + path, { signal: AbortSignal.timeout(1500) }).catch(() => null);
  const said = await answer?.json().catch(() => ({}));
  await released;
  if (!answer) throw new Error(`The router at ${document.body.dataset.router} does not answer`);
  if (!answer.ok) throw new Error(said.detail ?? `The router answered ${answer.status}`);
  return said;
}

function table(heads, rows) {
  const [first, ...others] = heads;
  const titles = [element("th", {}, first), ...others.map(name => element("th", words, name))];
  const body = rows.map(cells => element("tr", {}, ...cells));
  return element("section", { tabindex: "0" }, element("table", {},
    element("thead", {}, element("tr", {}, ...titles)), element("tbody", {}, ...body)));
}

function parts(candidate) {
  return Object.entries(candidate.parts).map(([name, value]) => `${name} ${Number(value).toFixed(1)}`).join(", ") || "–";
}

// The decision in a sentence, the obedience, each telling, the candidates, and all the rest.
export async function decision(id) {
  let session;
  try {
    session = await router(`/v1/sessions/${encodeURIComponent(id)}`);
  } catch (error) {
    return [element("p", { class: "empty" }, `No record of ${id}: ${error.message}.`)];
  }
  const { decision: made, verdict, told } = session, candidates = made.candidates ?? [];
  const from = `policy ${made.policy ?? "–"}, snapshot ${made.snapshot_version ?? "–"}, plan ${made.generation ?? "–"}${made.rule ? `, rule ${made.rule}` : ""}, seed ${made.seed ?? "–"}`;
  return [
    element("p", {}, `${made.pathways.join(", then ")}: ${made.sentence ?? "not decided yet"} (`, code(made.reason), `; ${from})`),
    element("p", {}, state(OBEYED.get(verdict.obeyed), verdict.sentence)),
    ...(told.length ? [table(["When", "Told", "Why"], told.map(each => [
      cell(moment(each.at_ms)), cell(each.pathway, words), cell([code(each.reason), ` ${each.sentence}`], words),
    ]))] : []),
    ...(candidates.length ? [table(["CDN", "Score", "Share", "Made of"], candidates.map(each => [
      cell(each.cdn), cell(Number(each.score).toFixed(1), words), cell(percent(each.share), words), cell(parts(each), words),
    ]))] : []),
    element("details", {}, element("summary", {}, "Everything that is known"), element("pre", { tabindex: "0" }, JSON.stringify(session, null, 2))),
  ];
}
