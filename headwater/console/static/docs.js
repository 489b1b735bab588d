// The API's own description, unfolded operation by operation; nothing comes from elsewhere.

import { api, cell, chosen, code, draw, element, link, show, words } from "./console.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const form = document.getElementById("find");
let operations = [];

const bare = reference => reference.split("/").pop();
const area = path => path.split("/")[path.startsWith("/v1/") ? 2 : 1];

// A schema in a few words; types of their own are links.
function spelt(schema) {
  if (schema.$ref) return [link(bare(schema.$ref))];
  const either = schema.anyOf ?? schema.oneOf;
  if (either) return either.flatMap((each, at) => [...(at ? [" or "] : []), ...spelt(each)]);
  if (schema.enum) return [schema.enum.map(each => JSON.stringify(each)).join(" | ")];
  if (schema.type === "array") return ["list of ", ...spelt(schema.items ?? {})];
  if (schema.additionalProperties?.type || schema.additionalProperties?.$ref) return ["map to ", ...spelt(schema.additionalProperties)];
  const limits = [["minimum", "≥ "], ["maximum", "≤ "], ["minLength", "chars ≥ "], ["maxLength", "chars ≤ "], ["maxItems", "items ≤ "], ["format", ""], ["pattern", ""]]
    .filter(([name]) => schema[name] !== undefined).map(([name, sign]) => sign + schema[name]);
  return [[schema.type ?? "any", ...limits].join(", ")];
}

function table(head, rows) {
  const titles = head.map((title, at) => element("th", at ? { class: "words" } : {}, title));
  const made = element("table", {}, element("thead", {}, element("tr", {}, ...titles)), element("tbody", {}));
  made.tBodies[0].append(...rows.map(cells => element("tr", {}, ...cells)));
  return element("section", { tabindex: "0" }, made);
}

function fields(schema) {
  const must = schema.required ?? [];
  return table(["Name", "Type", "Needed"], Object.entries(schema.properties ?? {}).map(([name, each]) =>
    [cell(code(name)), cell(spelt(each), words), cell(must.includes(name) ? "yes" : "no", words)]));
}

const carried = content => Object.entries(content ?? {}).flatMap(([media, { schema }]) => [`${media}: `, ...spelt(schema ?? {}), element("br", {})]);

function operation({ path, method, said }) {
  const parts = said.description ? [element("p", {}, said.description.replaceAll("`", ""))] : [];
  if (said.parameters?.length) parts.push(table(["Parameter", "In", "Type", "Needed"], said.parameters.map(each =>
    [cell(code(each.name)), cell(each.in, words), cell(spelt(each.schema), words), cell(each.required ? "yes" : "no", words)])));
  if (said.requestBody) parts.push(element("p", {}, "Body: ", ...carried(said.requestBody.content)));
  parts.push(table(["Status", "What", "Body"], Object.entries(said.responses).map(([status, each]) =>
    [cell(status), cell(each.description, words), cell(carried(each.content), words)])));
  const summary = element("summary", {}, code(`${method.toUpperCase()} ${path}`), ` ${said.summary ?? ""}`);
  return element("details", { id: said.operationId }, summary, ...parts);
}

function sift() {
  const wanted = form.elements.text.value.trim().toLowerCase();
  const fits = operations.filter(({ path, method, said }) =>
    `${method} ${path} ${said.summary} ${said.description ?? ""}`.toLowerCase().includes(wanted));
  const areas = new Map();
  for (const each of fits) areas.set(area(each.path), [...(areas.get(area(each.path)) ?? []), each]);
  draw("operations", ...[...areas].flatMap(([name, some]) => [element("h2", {}, name), ...some.map(operation)]));
  document.getElementById("none").hidden = fits.length > 0;
  return fits.length;
}

function unfold() {
  const wanted = document.getElementById(chosen());
  if (wanted?.tagName !== "DETAILS") return;
  wanted.open = true;
  wanted.scrollIntoView({ block: "nearest" });
}

show(async () => {
  if (!operations.length) {
    const { paths, components } = await api("/openapi.json");
    operations = Object.entries(paths).flatMap(([path, methods]) =>
      METHODS.filter(method => methods[method]).map(method => ({ path, method, said: methods[method] })));
    draw("types", ...Object.entries(components.schemas).sort().map(([name, schema]) => element("details", { id: name },
      element("summary", {}, code(name)), element("p", {}, schema.description ?? ""), schema.properties ? fields(schema) : element("p", {}, ...spelt(schema)))));
    sift();
  }
  unfold();
  return `${operations.length} operations`;
});

form.addEventListener("input", sift);
form.addEventListener("submit", event => event.preventDefault());
