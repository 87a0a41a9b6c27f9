/**
 * Hands recorded streams to this client's Replica and Timeline and writes the hashes that they arrive at:
 * `tests/annotation/test_sixteen_authors.py` compares them with the server's.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'vite';

const server = await createServer({
  configFile: false,
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  appType: 'custom',
  optimizeDeps: { noDiscovery: true },
  logLevel: 'error',
});
const { Replica } = await server.ssrLoadModule('/src/annotation/document.ts');
const { Timeline } = await server.ssrLoadModule('/src/replay/timeline.ts');

async function digestOf(told) {
  const replica = new Replica();
  for (const text of told) {
    const message = JSON.parse(text);
    if ('operations' in message) replica.handleSnapshot(message);
    else replica.handleOperation(message);
  }
  return replica.digest();
}

const found = [];
for (const { pages, replay } of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  const timeline = new Timeline({ started: 1_795_342_500_000, cameras: [], pointers: [], operations: replay });
  const digests = [];
  for (const told of pages) digests.push(await digestOf(told));
  found.push({ pages: digests, replay: await timeline.digestAt(Infinity) });
}
process.stdout.write(JSON.stringify(found));
await server.close();
