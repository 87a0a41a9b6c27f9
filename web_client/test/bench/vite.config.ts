/** Bundles `overlay.ts` into one script: for `python -m loadtests overlay` and tests/browser/test_overlay.py. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  logLevel: 'error',
  build: {
    target: 'es2022',
    lib: { entry: 'overlay.ts', name: 'overlay', formats: ['iife'], fileName: () => 'overlay.js' },
  },
});
