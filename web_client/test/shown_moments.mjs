/** Tells what a replay shows at each of some positions, by the page's own code: `tests/exporting/test_shown.py` holds films against it. */
import { readFileSync } from 'node:fs';
import { createServer } from 'vite';
const server = await createServer({ configFile: false, server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  appType: 'custom', optimizeDeps: { noDiscovery: true }, logLevel: 'error' });
const { Timeline } = await server.ssrLoadModule('/src/replay/timeline.ts');
const { Facts } = await server.ssrLoadModule('/src/replay/facts.ts');
const { description, positions } = JSON.parse(readFileSync(0, 'utf8'));
const timeline = new Timeline(description);
const facts = new Facts(description);
const said = positions.map((position) => ({
  marks: timeline.marksAt(position).map((one) => {
    const moved = timeline.movedAt(one, position, ((one.anchored ?? description.started) - description.started) / 1000);
    return [one.mark.mark, one.mark.points, one.author, moved?.state ?? '', moved?.matrix ?? null];
  }),
  pointers: timeline.pointersAt(7, position).map(({ author, trail }) => [author, trail.map(({ point }) => point)]),
  since: facts.sinceAt(7, position)?.rtpTimestamp ?? null,
}));
process.stdout.write(JSON.stringify(said));
await server.close();
