import { api, cell, code, fill, show, words } from "./console.js";
import { flags } from "./flags.js";

const form = document.getElementById("find");
let items = [];

function sift() {
  const { text, said } = form.elements;
  const wanted = text.value.trim().toLowerCase();
  const fits = items.filter(each => (!said.checked || each.source !== "default")
    && `${each.name} ${each.value}`.toLowerCase().includes(wanted));
  fill("settings", fits.map(each => [cell(code(each.name)), cell(code(each.value), words), cell(each.source, words)]));
}

show(async () => {
  const [settings, unusual] = await Promise.all([api("/v1/admin/settings"), flags()]);
  items = settings.items;
  sift();
  const said = items.filter(each => each.source !== "default").length;
  return `${items.length} settings, ${said} of them not the default; ${unusual} flags switched`;
});

form.addEventListener("input", sift);
form.addEventListener("submit", event => event.preventDefault());
