import { beforeEach, describe, expect, it } from 'vitest';
import { FrameLoader } from '../src/dicom/frames';
import { frameOf, readInstance, type Frame } from '../src/dicom/image';
import { Previews } from '../src/dicom/previews';
import type { Window } from '../src/dicom/viewport';
import { DicomWeb } from '../src/dicom/web';
import { ct, element } from './fakes/dicom';
import { FakeTimers } from './fakes/timers';

class Picture {
  closed = false;
  close(): void {
    this.closed = true;
  }
}

const settled = (): Promise<void> => new Promise((done) => setImmediate(done));
const made = (instance: string, columns: number, rows: number): Frame => frameOf(readInstance(ct({ instance, columns, rows })), 1);
/** 512 kB, 20 MB, 32 bytes. */
const [slice, mammogram, tiny] = [made('2.25.1', 512, 512), made('2.25.2', 2560, 4096), made('2.25.3', 4, 4)];
const stack = Array.from({ length: 20 }, (_, at) => made(`2.25.${10 + at}`, 512, 512));

let timers: FakeTimers;
let loader: FrameLoader;
let previews: Previews<Picture>;
let fetched: string[];
let aborted: string[];
let asked: { frame: Frame; window: Window | null; signal: AbortSignal; done: (picture: Picture) => void; failed: (error: Error) => void }[];
let bring: Map<string, (bytes: ArrayBuffer) => void>;
let news: number;

beforeEach(() => {
  timers = new FakeTimers();
  [fetched, aborted, asked, bring, news] = [[], [], [], new Map(), 0];
  loader = new FrameLoader(
    ({ of }, signal) =>
      new Promise((done, failed) => {
        fetched.push(of.instance);
        bring.set(of.instance, done);
        signal.addEventListener('abort', () => {
          aborted.push(of.instance);
          failed(new Error('aborted'));
        });
      }),
  );
  previews = new Previews(loader, (frame, window, signal) => new Promise((done, failed) => asked.push({ frame, window, signal, done, failed })), timers);
  previews.on('preview', () => (news += 1));
});

function look(...frames: Frame[]): void {
  loader.want('0', frames);
  previews.look('0', frames[0] ?? null, null);
}

describe('a preview', () => {
  it('is not asked for where the line is good', async () => {
    look(slice);
    timers.advance(300);
    bring.get(slice.of.instance)?.(new ArrayBuffer(512 * 512 * 2));
    await settled();
    look(slice);
    timers.advance(5000);
    expect(asked).toEqual([]);
  });

  it('stands in for an image that is long in coming, and is gone when that is there', async () => {
    look(slice);
    timers.advance(349);
    expect(asked).toEqual([]);
    timers.advance(1);
    expect(asked.map(({ frame }) => frame)).toEqual([slice]);
    const picture = new Picture();
    asked[0]?.done(picture);
    await settled();
    expect([previews.of('0', slice), news]).toEqual([picture, 1]);
    expect(previews.of('0', stack[0] as Frame)).toBeNull();
    bring.get(slice.of.instance)?.(new ArrayBuffer(512 * 512 * 2));
    await settled();
    look(slice);
    expect([previews.of('0', slice), picture.closed]).toEqual([null, true]);
  });

  it('of a large image is asked for sooner, of a tiny one never', () => {
    look(mammogram);
    timers.advance(150);
    expect(asked).toHaveLength(1);
    previews.look('1', tiny, null);
    timers.advance(10_000);
    expect(asked).toHaveLength(1);
  });

  it('that comes too late is let go of; one that fails changes nothing', async () => {
    look(slice);
    timers.advance(350);
    look(stack[0] as Frame);
    expect(asked[0]?.signal.aborted).toBe(true);
    const late = new Picture();
    asked[0]?.done(late);
    await settled();
    expect([late.closed, previews.of('0', slice)]).toEqual([true, null]);
    timers.advance(350);
    asked[1]?.failed(new Error('422'));
    await settled();
    expect([previews.of('0', stack[0] as Frame), news]).toEqual([null, 0]);
  });

  it('is rendered anew with another window', () => {
    look(slice);
    timers.advance(350);
    previews.look('0', slice, [40, 80]);
    timers.advance(350);
    expect(asked.map(({ window }) => window)).toEqual([null, [40, 80]]);
    expect(asked[0]?.signal.aborted).toBe(true);
  });

  it('and its image have the line to themselves: nothing is fetched beforehand until it is there', async () => {
    look(...stack);
    expect(fetched).toHaveLength(6);
    timers.advance(350);
    expect(aborted).toEqual(stack.slice(1, 6).map(({ of }) => of.instance));
    await settled();
    expect(fetched).toHaveLength(6);
    bring.get('2.25.10')?.(new ArrayBuffer(512 * 512 * 2));
    await settled();
    look(...stack);
    await settled();
    expect(fetched.slice(6)).toEqual(stack.slice(1, 7).map(({ of }) => of.instance));
  });
});

it('is asked of the server with the window of the pane, as its function has it', async () => {
  const paths: string[] = [];
  const web = new DicomWeb('token', (path) => {
    paths.push(path);
    return Promise.resolve(new Response('jpeg'));
  });
  const exact = frameOf(readInstance(ct({ more: { '00281056': element('CS', 'LINEAR_EXACT') } })), 1);
  const stop = new AbortController();
  await web.rendered(exact, 640, stop.signal, [40, 0.5]);
  await web.rendered(slice, 640, stop.signal, [40, 400]);
  await web.rendered(slice, 0, stop.signal);
  expect(paths.map((path) => path.replace(/.*frames/, ''))).toEqual(['/1/rendered?viewport=640,640&window=40,0.5,linear-exact', '/1/rendered?viewport=640,640&window=40,400', '/1/rendered']);
});
