// Writes down what SDKs send: listens, answers 200, and keeps each request as a file in the folder that is named. The files in
// `captured/` were made with it, one SDK after the other, and the times, ids and ports in them are those of that day.
//
//   node capture.mjs 8099 captured/node & SDK_HOME=$(./install) node node.mjs --endpoint http://127.0.0.1:8099 --write-key wk_a --events 7

import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [port, prefix] = process.argv.slice(2);
const ALLOW = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'authorization,content-type,x-retry-count' };
let count = 0;
mkdirSync(prefix.replace(/[^/]*$/, '') || '.', { recursive: true });

createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts);
    const packed = request.headers['content-encoding'] === 'gzip';
    const kept = packed ? { body_base64: body.toString('base64') } : { body: body.toString('utf8') };
    const { host, connection, ...headers } = request.headers;
    count += 1;
    const text = JSON.stringify({ method: request.method, path: request.url, headers, ...kept }, null, 1);
    writeFileSync(`${prefix}-${String(count).padStart(2, '0')}.json`, `${text}\n`);
    response.writeHead(200, { ...ALLOW, 'content-type': 'application/json' }).end('{"success":true}');
  });
}).listen(Number(port), '127.0.0.1');
