// Three foreign readers of manifests: a JSON line in, what they make of it out.
// {"kind": "hls" | "dash", "text", "url"} -> {NAME: MODEL | {"error": MESSAGE}}
"use strict";
const readline = require("node:readline");
const hlsParser = require("hls-parser");
const { Parser } = require("m3u8-parser");
const mpdParser = require("mpd-parser");

const quiet = () => {};
console.error = console.warn = console.info = quiet; // xmldom tells its findings there
hlsParser.setOptions({ silent: true, strictMode: true });

// So that what began in 1970 has few segments: mpd-parser makes a list of all.
const soonAfterItBegan = (text) =>
  Date.parse((/availabilityStartTime="([^"]*)"/.exec(text) ?? [, "2026-01-01T00:00:00Z"])[1]) + 60_000;

const READERS = {
  hls: {
    "hls-parser": (text) => {
      const { source, ...model } = hlsParser.parse(text);
      return model;
    },
    "m3u8-parser": (text, url) => {
      const parser = new Parser({ uri: url });
      parser.on("warn", quiet);
      parser.on("info", quiet);
      parser.push(text);
      parser.end();
      return parser.manifest;
    },
  },
  dash: {
    "mpd-parser": (text, url) =>
      mpdParser.parse(text, { manifestUri: url, NOW: soonAfterItBegan(text), eventHandler: quiet }),
  },
};

function read({ kind, text, url }) {
  const found = {};
  for (const [name, reader] of Object.entries(READERS[kind])) {
    try {
      found[name] = reader(text, url);
    } catch (error) {
      found[name] = { error: String(error.message).split("\n")[0] };
    }
  }
  return found;
}

// A model may hold itself: parts of hls-parser and groups of mpd-parser name one another.
function plain(value, above = []) {
  if (value === null || typeof value !== "object") return value;
  if (above.includes(value)) return undefined;
  if (value instanceof Date) return Number.isNaN(+value) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return Array.from(value);
  const inside = [...above, value];
  if (Array.isArray(value)) return value.map((one) => plain(one, inside) ?? null);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one, inside)]));
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(`${JSON.stringify(plain(read(JSON.parse(line))))}\n`);
});
