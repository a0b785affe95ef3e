#!/bin/sh
# Node.js: the JavaScript heap is V8's own, but buffers, parsers, zlib, crypto and worker threads live on malloc.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need node nodejs

cat >work.js <<'JS'
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto');
const zlib = require('zlib');
const sum = (data) => crypto.createHash('sha256').update(data).digest('hex').slice(0, 16);

function rows(seed, count) {
  const out = [];
  for (let n = 0, s = seed; n < count; n++) {
    s = (Math.imul(s, 1103515245) + 12345) & 0x7fffffff;
    out.push({ id: s, name: 'n'.repeat(s % 60), list: [s % 7, s % 11, s % 13] });
  }
  return out;
}

function buffers(seed) {
  const kept = [];
  for (let n = 0; n < 6000; n++) {
    const b = Buffer.alloc((n * seed) % 20000 + 1, n & 255);
    if (n % 5 === 0) kept.push(b);
    if (kept.length > 200) kept.splice(0, 100);
  }
  return sum(Buffer.concat(kept));
}

if (!isMainThread) {
  const text = Buffer.from(JSON.stringify(rows(workerData, 8000)));
  const packed = zlib.deflateSync(text, { level: 6 });
  parentPort.postMessage([workerData, text.length, packed.length, sum(zlib.inflateSync(packed)), buffers(workerData)]);
} else {
  const worker = (n) => new Promise((resolve, reject) => {
    const w = new Worker(__filename, { workerData: n });
    let answer;
    w.on('message', (m) => { answer = m; });
    w.on('error', reject);
    w.on('exit', (code) => (code === 0 ? resolve(answer) : reject(new Error(`worker: ${code}`))));
  });
  const promised = (f, ...args) => new Promise((ok, no) => f(...args, (e, v) => (e ? no(e) : ok(v))));
  (async () => {
    const big = JSON.stringify(rows(1, 40000));
    console.log('json', big.length, JSON.parse(big).length, sum(big));
    console.log('buffers', buffers(7));
    for (const line of await Promise.all([2, 3, 4].map(worker))) console.log('worker', ...line);
    const gz = await promised(zlib.gzip, big);
    console.log('gzip', gz.length, (await promised(zlib.gunzip, gz)).toString() === big);
    console.log('brotli', (await promised(zlib.brotliCompress, big.slice(0, 200000))).length);
    console.log('scrypt', (await promised(crypto.scrypt, 'word', 'salt', 32)).toString('hex'));
    const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    console.log('signature', crypto.verify('sha256', Buffer.from(big), publicKey,
      crypto.sign('sha256', Buffer.from(big), privateKey)));
    const maps = require('fs').readFileSync('/proc/self/maps', 'utf8');
    console.log('mapped', !process.env.WANTED || maps.includes(process.env.WANTED));
  })();
}
JS

# A wrapper of an editor's or a version manager's would only hide which program runs.
WANTED='' NODE_OPTIONS=''
export WANTED NODE_OPTIONS
unset NODE_EXTRA_CA_CERTS
on_system expected node work.js
WANTED=$(basename "$(readlink -f "$lib")")
on_freehold got node work.js
same expected got "the output of node"
ran_on got.err '[nN]ode[A-Za-z-]*'
binds node -e 'console.log(1)'
