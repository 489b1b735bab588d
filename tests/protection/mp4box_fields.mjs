// What mp4box.js reads in a protected file, as JSON: the boxes of protection in file order.
// usage: node mp4box_fields.mjs MODULE FILE
import { readFileSync } from "node:fs";

const { createFile, Log } = await import(process.argv[2]);
Log?.setLogLevel?.(Log.LOG_LEVEL_ERROR);

const WANTED = new Set(["frma", "schm", "tenc", "pssh", "moof", "saiz", "saio", "senc", "sbgp", "sgpd"]);
const LEFT_OUT = new Set(["boxes", "box_name", "original_size", "data", "trafs", "subBoxNames", "parser"]);
const file = createFile(false);
const bytes = readFileSync(process.argv[3]);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
buffer.fileStart = 0;
file.appendBuffer(buffer, true);
file.flush();

const found = [];
const plain = (value) => value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
const fields = (box) => Object.fromEntries(
  Object.entries(box).filter(([name, value]) => !LEFT_OUT.has(name) && typeof value !== "function")
    .map(([name, value]) => [name, plain(value)]));
const children = (box) => [...(box.boxes ?? []), ...(box.entries ?? []).filter((e) => e?.boxes)];
const visit = (box) => {
  if (WANTED.has(box.type)) {
    const { hdr_size, start, size } = box;
    const row = box.type === "moof" ? { start, size } : fields(box);
    row.type = box.type;
    row.body = bytes.subarray(start + hdr_size, start + size).toString("hex");
    if (box.type === "moof") delete row.body;
    found.push(row);
  }
  children(box).forEach(visit);
};
file.boxes.forEach(visit);
process.stdout.write(JSON.stringify(found));
