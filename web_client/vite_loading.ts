/**
 * What each built page begins with: the script that fetches again what the network loses (src/loading/), and the words
 * for when that is in vain. The script is a file of its own, since the server's policy allows no other; the words stand in the page,
 * with their style, and are seen without any script when nothing of the page has come for long.
 */
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'vite';
import { en } from './src/words/en';
import { zh } from './src/words/zh';

const FIRST = fileURLToPath(new URL('src/loading/first.ts', import.meta.url));

// where nothing else is to be seen it stands in the middle; a page that says so itself says it once, in its reader's language.
// The tries of again.ts are over after half a minute, and a page on a very slow line has mostly begun
const STYLE = `
      #page-lost { position: fixed; inset: auto 0 24px; z-index: 1000; box-sizing: border-box; width: min(560px, 100vw - 32px); margin: auto; padding: 16px 20px; visibility: hidden;
        border: 1px solid #f5b944; border-radius: 10px; background: #10171d; color: #dbe2e8; font: 15px/1.45 system-ui, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif; }
      #page-lost p { margin: 0 0 8px; }
      #page-lost button { min-height: 48px; margin-top: 4px; padding: 0 20px; border: 1px solid #3fd0b6; border-radius: 10px; background: #3fd0b6; color: #05080b; font: inherit; font-weight: 600; cursor: pointer; }
      #page-lost.told { visibility: visible; }
      #app:empty + #page-lost { inset: 0; height: fit-content; animation: page-lost 0s 30s forwards; }
      #app:has(.says-lost) + #page-lost { display: none; }
      @keyframes page-lost { to { visibility: visible; } }
    `;

export function loading(): Plugin {
  return {
    name: 'konsil-loading',
    apply: 'build',
    async buildStart() {
      const made = await build({
        configFile: false,
        publicDir: false,
        logLevel: 'warn',
        build: { write: false, target: 'es2022', modulePreload: false, rolldownOptions: { input: FIRST, output: { format: 'iife' } } },
      });
      const [{ output }] = [made].flat() as [Extract<typeof made, { output: unknown }>];
      this.emitFile({ type: 'asset', name: 'first.js', source: output[0].code });
    },
    transformIndexHtml: {
      order: 'post',
      handler(html, { bundle }) {
        const first = Object.values(bundle ?? {}).find((made) => made.type === 'asset' && made.names.includes('first.js'));
        if (first === undefined) throw new Error('the script that pages begin with was not built');
        const plate = `<div id="page-lost" role="alert" data-testid="page-lost" data-button="${en.page_load} · ${zh.page_load}"><p lang="en"><strong>${en.page_lost}.</strong> ${en.page_lost_text}</p><p lang="zh-CN"><strong>${zh.page_lost}。</strong>${zh.page_lost_text}</p></div>`;
        const begun = html
          .replace('<script type="module"', `<style>${STYLE}</style>\n    <script src="/${first.fileName}"></script>\n    $&`)
          .replace('<div id="app"></div>', `$&${plate}`);
        if (!begun.includes(`src="/${first.fileName}"`) || !begun.includes(plate)) throw new Error('a page has no place for its beginning');
        return begun;
      },
    },
  };
}
