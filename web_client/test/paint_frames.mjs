/**
 * Paints frames as the page does, from the metadata and the bytes that the server sends: `tests/annotation/dicom/test_page_pixels.py`
 * holds what comes out against pydicom's own pixels.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'vite';

const server = await createServer({
  configFile: false,
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  appType: 'custom',
  optimizeDeps: { noDiscovery: true },
  logLevel: 'error',
});
const { readInstance, frameOf } = await server.ssrLoadModule('/src/dicom/image.ts');
const { hasWindow, ownWindow, paintPixels, readPixels } = await server.ssrLoadModule('/src/dicom/pixels.ts');

const told = [];
for (const { metadata, frame: number, bytes, painted } of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  const frame = frameOf(readInstance(metadata), number);
  const { columns, rows } = frame.of;
  try {
    const pixels = readPixels(frame, Uint8Array.from(readFileSync(bytes)).buffer);
    const into = new Uint32Array(columns * rows);
    paintPixels(pixels, { window: null, invert: false }, into);
    writeFileSync(painted, new Uint8Array(into.buffer));
    told.push({ columns, rows, window: hasWindow(frame) ? ownWindow(pixels) : null });
  } catch (error) {
    told.push({ error: error.message });
  }
}
process.stdout.write(JSON.stringify(told));
await server.close();
