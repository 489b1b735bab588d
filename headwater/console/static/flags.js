// What operators switch while the service runs, on the page of settings.

import { action, api, cell, code, day, element, fill, may, state, words } from "./console.js";

const said = value => typeof value === "boolean" ? (value ? "on" : "off") : `${value} %`;

async function set(flag, value) {
  try {
    await api(`/v1/admin/flags/${flag.name}`, { method: "PUT", body: { value }, headers: { "If-Match": `"v${flag.version}"` } });
  } finally {
    await flags();
  }
}

// A button for a switch, a number for a share.
function setting(flag) {
  if (typeof flag.value === "boolean") return action(`Switch ${flag.value ? "off" : "on"}`, "admin", () => set(flag, !flag.value), "", flag.name);
  if (!may("admin")) return "";
  const share = element("input", { type: "number", min: "0", max: "100", required: "", value: String(flag.value), "aria-label": `${flag.name}, percent of accounts` });
  return element("span", { class: "share" }, share, action("Set", "admin", async () => {
    if (share.reportValidity() && (share.valueAsNumber || confirm(`${flag.name} for no account at all?`))) await set(flag, share.valueAsNumber);
  }, "", flag.name));
}

// Draws them; how many are not at their default.
export async function flags() {
  const { items } = await api("/v1/admin/flags");
  fill("flags", items.map(flag => [
    cell(code(flag.name)), cell(state(flag.value === flag.default ? "ok" : "warn", said(flag.value)), words), cell(setting(flag), words),
    cell(flag.means, words), cell(said(flag.default), words), cell(flag.viewers ? "yes" : "no", words), cell(flag.changed_at ? day(flag.changed_at) : "never"),
  ]));
  return items.filter(flag => flag.value !== flag.default).length;
}
