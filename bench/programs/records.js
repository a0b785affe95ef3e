// records.js - a benchmark program: objects, maps, JSON, and buffers of many sizes cut, joined and compressed.
"use strict";
const zlib = require("zlib");

let seed = 12345;
const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;

const records = [];
for (let i = 0; i < 60000; i++)
    records.push({ id: i, name: `record ${i * 7919 % 60013}`, tags: [i % 7, i % 11], at: { x: i, y: i / 3 } });
const byName = new Map(records.map((r) => [r.name, r]));
const text = JSON.stringify(records);
const again = JSON.parse(text);

const kept = new Array(2000).fill(null);
let bytes = 0;
for (let i = 0; i < 150000; i++) {
    const buffer = Buffer.allocUnsafeSlow(64 + random(1 << (6 + random(10))));
    buffer.fill(i & 255);
    bytes += buffer.length;
    kept[random(kept.length)] = buffer;
}
let packed = 0;
for (let i = 0; i < 60; i++)
    packed += zlib.deflateSync(text.slice(random(text.length >> 1), (text.length >> 1) + 60000), { level: 1 }).length;
const joined = Buffer.concat(kept.filter((b) => b !== null));
console.log(byName.size, again.length, bytes, packed > 0, joined.length > 0);
