/** The replay's own class with previews: what is on top of the glass after a seek, what is said of it, and what the players wait for. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { QuizPen } from '../src/ui/training/quiz_pen.svelte';
import { Bench, camera, forgetRequests, pretendNoMore, pretendPlayers, server } from './fakes/players';
import { piece, PretendedCodecs } from './fakes/previews';

const FRAME_TICKS = 3000;
const PIECE_FRAMES = 60;
const PIECE_TICKS = PIECE_FRAMES * FRAME_TICKS;
const LIST = { codec: 'avc1.42c01e', width: 854, height: 480, timescale: 90_000, pieces: Array.from({ length: 50 }, (_, n) => [n * PIECE_TICKS, (n + 1) * PIECE_TICKS]) };
const bodyOf = (number: number): ArrayBuffer => piece(Array.from({ length: PIECE_FRAMES }, (_, n) => number * PIECE_TICKS + n * FRAME_TICKS), (index) => index % 15 === 0);

let codecs: PretendedCodecs;
/** The page's clock is that of the bench which was made last. */
let clock: { now: number };
/** What is answered in place of a piece. */
let answers: Map<number, (signal: AbortSignal) => Promise<Response>>;

beforeAll(pretendPlayers);
afterAll(pretendNoMore);
beforeEach(() => {
  forgetRequests();
  codecs = new PretendedCodecs();
  clock = { now: 0 };
  vi.spyOn(performance, 'now').mockImplementation(() => clock.now);
  vi.stubGlobal('VideoDecoder', codecs.codecs.VideoDecoder);
  vi.stubGlobal('EncodedVideoChunk', codecs.codecs.EncodedVideoChunk);
  answers = new Map();
  server.more = (address, signal) => {
    if (address.endsWith('/preview.json')) return Promise.resolve(Response.json(LIST));
    const number = /\/preview\/(\d+)\.kpv$/.exec(address)?.[1];
    return number === undefined ? null : (answers.get(Number(number))?.(signal as AbortSignal) ?? Promise.resolve(new Response(bodyOf(Number(number)))));
  };
});

class Canvas {
  width = 0;
  height = 0;
  /** Names of the frames that were drawn, in their pieces. */
  readonly drawn: number[] = [];
  readonly style = { setProperty: (): void => undefined };
  getContext(): { drawImage: (frame: VideoFrame) => void } {
    return { drawImage: ({ timestamp }) => void this.drawn.push(timestamp) };
  }
}

async function opened(): Promise<{ bench: Bench; canvas: Canvas }> {
  const bench = new Bench(camera(7));
  clock = bench;
  const canvas = new Canvas();
  bench.replay.attachPreview(0, canvas as unknown as HTMLCanvasElement);
  await bench.open();
  // a while after that
  bench.tick(2000);
  return { bench, canvas };
}

describe('a seek with previews', () => {
  it('shows the very moment first, as that moment, and has the player begin only then', async () => {
    const { bench, canvas } = await opened();
    const { replay, main } = bench;
    server.fetched = [];
    replay.seek(58.51);
    bench.tick();
    expect([main.jumps, replay.moments]).toEqual([[], [0.5]]);
    await bench.settle();
    // nothing but the piece was asked for
    expect(server.fetched).toEqual(['29.kpv']);
    expect(canvas.drawn.at(-1)).toBe(0);
    expect([replay.previewed, replay.rtpTimestamp, replay.overlay.position]).toEqual([[true], 1000 + 58 * 90_000, 58.5]);
    bench.tick();
    // straight to the picture, and by no key frame
    expect(main.jumps.map((to) => to.toFixed(2))).toEqual(['58.01']);
    expect([replay.moments, replay.lagging, replay.previewSaid]).toEqual([[null], [false], [false]]);
    bench.tick(200);
    expect(replay.previewSaid).toEqual([true]);
    expect(replay.lagging).toEqual([false]);
    main.show(58);
    expect([replay.previewed, replay.rtpTimestamp]).toEqual([[false], 1000 + 58 * 90_000]);
    bench.tick();
    expect([replay.previewSaid, replay.moments]).toEqual([[false], [null]]);
    expect(codecs.open).toBe(0);
  });

  it('marks, letters and name are those of the frame on top while another one comes beneath', async () => {
    const { bench } = await opened();
    const { replay, main } = bench;
    replay.seek(58.51);
    await bench.settle();
    bench.tick();
    main.show(57.9);
    expect([replay.previewed, replay.overlay.position, replay.rtpTimestamp]).toEqual([[true], 58.5, 1000 + 58 * 90_000]);
  });

  it('a line that is dragged over stays at the last wish, and asks for no segment on the way', async () => {
    const { bench, canvas } = await opened();
    const { replay, main } = bench;
    server.fetched = [];
    for (let position = 10; position < 60; position += 2.5) {
      replay.seek(position);
      bench.tick();
      if (position % 5 === 0) await bench.settle();
    }
    replay.seek(33.51);
    await bench.settle();
    bench.tick();
    await bench.settle();
    expect([replay.previewed, replay.rtpTimestamp]).toEqual([[true], 1000 + 33 * 90_000]);
    expect(canvas.drawn.length).toBeGreaterThan(5);
    expect([main.jumps, server.fetched.filter((name) => name.endsWith('.m4s'))]).toEqual([[], []]);
    expect(codecs.open).toBe(0);
    // it rests
    bench.tick(150);
    await bench.settle();
    expect(main.jumps.map((to) => to.toFixed(2))).toEqual(['33.01']);
    expect(server.fetched.filter((name) => name.endsWith('.m4s'))[0]).toBe('30.m4s');
  });

  it('steps by the frames themselves, as fast as keys are pressed', async () => {
    const { bench } = await opened();
    const { replay } = bench;
    replay.seek(58.51);
    await bench.settle();
    bench.tick();
    for (let press = 0; press < 3; press += 1) replay.step(1);
    await bench.settle();
    expect(replay.rtpTimestamp).toBe(1000 + 58 * 90_000 + 3 * FRAME_TICKS);
    // over the border of a piece, too, though the one beside has never been here
    for (let press = 0; press < 4; press += 1) replay.step(-1);
    await bench.settle();
    expect(replay.rtpTimestamp).toBe(1000 + 58 * 90_000 - FRAME_TICKS);
    replay.step(1);
    await bench.settle();
    expect(replay.rtpTimestamp).toBe(1000 + 58 * 90_000);
  });

  it('a question has no preview: it waits for the sharp picture', async () => {
    const { bench } = await opened();
    const { replay, main } = bench;
    replay.seek(20.51);
    await bench.settle();
    expect(replay.previewed).toEqual([true]);
    replay.quiz = { hiddenLayers: () => 0 } as unknown as QuizPen;
    replay.seek(58.51, true);
    expect(replay.previewed).toEqual([false]);
    bench.tick();
    await bench.settle();
    expect([replay.previewed, main.jumps.at(-1)]).toEqual([[false], 58.01]);
    expect(replay.rtpTimestamp).not.toBe(1000 + 58 * 90_000);
  });

  it('vanishes as soon as the player plays its own', async () => {
    const { bench } = await opened();
    const { replay, main } = bench;
    replay.toggle();
    bench.tick();
    replay.seek(58.51);
    bench.tick();
    expect(main.paused).toBe(true);
    await bench.settle();
    bench.tick();
    expect([replay.previewed, replay.position]).toEqual([[true], 58.51]);
    main.seeking = false;
    bench.tick();
    expect(main.paused).toBe(false);
    main.show(58.1);
    expect([replay.previewed, replay.rtpTimestamp]).toEqual([[false], 1000 + 58.1 * 90_000]);
  });

  it('a damaged piece ends the previews, and nothing else', async () => {
    const { bench } = await opened();
    const { replay, main } = bench;
    const damaged = new Uint8Array(bodyOf(29));
    damaged[0] = 0;
    answers.set(29, () => Promise.resolve(new Response(damaged)));
    replay.seek(58.51);
    await bench.settle();
    bench.tick();
    expect([replay.previewed, replay.unplayable]).toEqual([[false], [false]]);
    // as before there were previews: by way of the key frame
    expect(main.jumps).toEqual([50.002]);
    server.fetched = [];
    replay.seek(20.5);
    await bench.settle();
    expect(server.fetched.filter((name) => name.endsWith('.kpv'))).toEqual([]);
  });

  it('a line that breaks costs one preview, and a slow one does not hold the player for ever', async () => {
    const { bench } = await opened();
    const { replay, main } = bench;
    answers.set(29, () => Promise.reject(new TypeError('network')));
    replay.seek(58.51);
    await bench.settle();
    bench.tick();
    expect([replay.previewed, main.jumps.at(-1)]).toEqual([[false], 58.01]);
    answers.set(10, (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))));
    replay.seek(20.51);
    bench.tick();
    expect(main.jumps.length).toBe(1);
    bench.tick(500);
    expect(main.jumps.at(-1)).toBe(20.01);
    replay.seek(30.51);
    await bench.settle();
    expect(replay.previewed).toEqual([true]);
  });

  it('where there are none, or the browser has no decoder for them, nothing changes', async () => {
    for (const without of ['list', 'support', 'browser']) {
      if (without === 'list') server.more = (address) => (address.endsWith('/preview.json') ? Promise.resolve(new Response(null, { status: 204 })) : null);
      else forgetRequests();
      if (without === 'support') codecs.supported = false;
      if (without === 'browser') vi.stubGlobal('VideoDecoder', undefined);
      const { bench } = await opened();
      bench.replay.seek(58.5);
      bench.tick();
      await bench.settle();
      expect([without, bench.main.jumps, bench.replay.previewed]).toEqual([without, [50.002], []]);
    }
  });

  it('is there at the beginning, before the player has anything', async () => {
    const bench = new Bench(camera(7));
    clock = bench;
    bench.main.readyState = 0;
    const canvas = new Canvas();
    await bench.settle();
    // it came before there was a canvas
    bench.replay.attachPreview(0, canvas as unknown as HTMLCanvasElement);
    bench.tick();
    expect([canvas.drawn, bench.replay.previewed, bench.replay.moments]).toEqual([[0], [true], [null]]);
    expect(bench.replay.rtpTimestamp).toBe(1000);
    bench.main.readyState = 4;
    bench.main.show(0);
    expect(bench.replay.previewed).toEqual([false]);
    bench.replay.close();
    expect(codecs.open).toBe(0);
  });

  it('of small pictures comes after the large one', async () => {
    const bench = new Bench(camera(7), camera(9, { participant: 'pt-b', source: 'camera' }));
    for (const index of [0, 1]) bench.replay.attachPreview(index, new Canvas() as unknown as HTMLCanvasElement);
    clock = bench;
    await bench.open();
    bench.tick(2000);
    await bench.settle();
    server.addresses = [];
    bench.replay.seek(58.51);
    bench.tick();
    expect(server.addresses.map((address) => address.split('/').at(-3))).toEqual(['7']);
    await bench.settle();
    bench.tick();
    await bench.settle();
    expect(bench.replay.previewed).toEqual([true, true]);
  });
});
