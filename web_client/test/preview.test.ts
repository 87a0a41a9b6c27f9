/** Previews of a recording: what comes from the server, which piece and frame have a moment, what is on top of the glass and until when. */
import { describe, expect, it } from 'vitest';
import { edgeOf, frameAt, keyBefore, MOST_PIECE_BYTES, pieceAt, PreviewError, readList, readPiece, spanOf, type PreviewList } from '../src/replay/preview';
import { PreviewDecoder } from '../src/replay/preview_decoder';
import { PreviewPieces } from '../src/replay/preview_pieces';
import { PreviewShow } from '../src/replay/preview_show';
import { piece, PretendedCodecs } from './fakes/previews';

const LIST: PreviewList = { codec: 'avc1.42c01e', width: 854, height: 480, timescale: 90_000, pieces: [[9000, 90_000], [90_000, 180_000], [360_000, 450_000]] };
/** Thirty frames a second, a key frame each half second. */
const TIMES = Array.from({ length: 30 }, (_, number) => 90_000 + 3000 * number);
const isKey = (index: number): boolean => index % 15 === 0;
const whole = (): ArrayBuffer => piece(TIMES, isKey);

describe('a list of previews', () => {
  it('is read, and refused where it cannot be one', () => {
    expect(readList(structuredClone(LIST))).toEqual(LIST);
    const wrong: unknown[] = [
      null, 7, [], {}, { ...LIST, codec: 'vp8' }, { ...LIST, width: 0 }, { ...LIST, height: 1e9 }, { ...LIST, timescale: 0.5 }, { ...LIST, pieces: null },
      { ...LIST, pieces: [[1]] }, { ...LIST, pieces: [[2, 2]] }, { ...LIST, pieces: [[0, 5], [4, 9]] }, { ...LIST, pieces: [['0', 5]] }, { ...LIST, pieces: [[-1, 5]] },
      { ...LIST, pieces: Array.from({ length: 300_000 }, (_, n) => [n, n + 1]) },
    ];
    for (const value of wrong) expect(() => readList(value)).toThrow(PreviewError);
  });

  it('knows which piece has a moment', () => {
    expect(pieceAt(LIST, 0.05)).toBeNull();
    expect([0.1, 0.999, 1, 1.5, 3, 4, 99].map((seconds) => pieceAt(LIST, seconds))).toEqual([0, 0, 1, 1, 1, 2, 2]);
    // a frame's own time, as it comes out of a sum
    expect(pieceAt(LIST, 1 - 1e-9)).toBe(1);
  });
});

describe('a piece', () => {
  it('gives its frames', () => {
    const frames = readPiece(whole(), 90_000);
    expect(frames.map(({ time }) => time)).toEqual(TIMES);
    expect(frames.map(({ key }) => key)).toEqual(TIMES.map((_, index) => isKey(index)));
    expect([...(frames[7] as { data: Uint8Array }).data]).toEqual([0, 0, 0, 1, 0x41, 7]);
    expect(frameAt(frames, 90_000)).toBe(0);
    expect(frameAt(frames, 92_999)).toBe(0);
    expect(frameAt(frames, 93_000)).toBe(1);
    expect(frameAt(frames, 1)).toBe(0);
    expect(frameAt(frames, 1e9)).toBe(29);
    expect([0, 14, 15, 29].map((index) => keyBefore(frames, index))).toEqual([0, 0, 15, 15]);
    expect(spanOf(LIST, 1, frames, 3)).toEqual({ from: 99_000 / 90_000, until: 102_000 / 90_000 });
    expect(spanOf(LIST, 1, frames, 29)).toEqual({ from: 177_000 / 90_000, until: 2 });
    expect([edgeOf(LIST, 2, 1), edgeOf(LIST, 0, -1), edgeOf(LIST, 3, 1), edgeOf(LIST, -1, -1)]).toEqual([4.002, 0.998, null, null]);
  });

  it('is refused where it is none', () => {
    const wrong = [
      new ArrayBuffer(0), whole().slice(0, 7), new ArrayBuffer(MOST_PIECE_BYTES + 1), piece([], isKey), piece(TIMES, (index) => index === 1),
      piece([90_000, 90_000], isKey), piece([90_000, 80_000], isKey), piece([0, 180_001], isKey), piece([2 ** 53], isKey),
      piece(Array.from({ length: 1025 }, (_, n) => n), isKey), piece(TIMES, isKey, () => new Uint8Array([1, 2, 3, 4, 5, 6])), piece(TIMES, isKey, () => new Uint8Array()),
    ];
    for (const body of wrong) expect(() => readPiece(body, 90_000)).toThrow(PreviewError);
    const [longer, counted] = [new Uint8Array(whole().byteLength + 1), new Uint8Array(whole())];
    longer.set(new Uint8Array(whole()));
    counted.set([255, 255, 255, 255], 4);
    expect(() => readPiece(longer.buffer, 90_000)).toThrow(PreviewError);
    expect(() => readPiece(counted.buffer, 90_000)).toThrow(PreviewError);
  });

  it('that is cut anywhere is refused, and no byte of it makes anything else than a refusal', () => {
    const good = new Uint8Array(whole());
    for (let length = 0; length < good.length; length += 1) expect(() => readPiece(good.slice(0, length).buffer, 90_000)).toThrow(PreviewError);
    let state = 1;
    const chance = (below: number): number => (state = (state * 48_271) % 0x7fff_ffff) % below;
    let [taken, refused] = [0, 0];
    for (let round = 0; round < 20_000; round += 1) {
      const bytes = good.slice(0, chance(8) === 0 ? chance(good.length) : good.length);
      for (let flips = 1 + chance(3); flips > 0 && bytes.length > 0; flips -= 1) bytes[chance(bytes.length)] = chance(256);
      try {
        const frames = readPiece(bytes.buffer, 90_000);
        expect(frames[0]?.key).toBe(true);
        for (const { data } of frames) expect(data.byteOffset + data.length).toBeLessThanOrEqual(bytes.length);
        taken += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(PreviewError);
        refused += 1;
      }
    }
    expect(Math.min(taken, refused)).toBeGreaterThan(100);
  });
});

describe('pieces', () => {
  const list: PreviewList = { ...LIST, pieces: Array.from({ length: 20 }, (_, n): [number, number] => [n * 90_000, (n + 1) * 90_000]) };
  const bodyOf = (number: number): ArrayBuffer => piece(TIMES.map((time) => time - 90_000 + number * 90_000), isKey);

  it('are fetched once, and the longest unseen is given up for another', async () => {
    const asked: number[] = [];
    const size = bodyOf(0).byteLength;
    const pieces = new PreviewPieces(list, (number) => (asked.push(number), Promise.resolve(bodyOf(number))), 3 * size);
    for (const number of [0, 1, 2, 0, 3]) await pieces.wish(number);
    expect(asked).toEqual([0, 1, 2, 3]);
    expect([0, 1, 2, 3].map((number) => pieces.here(number) !== null)).toEqual([true, false, true, true]);
    expect(pieces.bytes).toBe(3 * size);
    pieces.close();
    expect([pieces.bytes, pieces.here(0)]).toEqual([0, null]);
  });

  it('that nobody wishes any more are let go, but for the one beside', async () => {
    const coming = new Map<number, { signal: AbortSignal; come: () => void }>();
    const pieces = new PreviewPieces(list, (number, signal) => new Promise((resolve, reject) => {
      coming.set(number, { signal, come: () => resolve(bodyOf(number)) });
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    }));
    const first = pieces.wish(3, 4);
    const second = pieces.wish(4, 5);
    await expect(first).rejects.toThrow(DOMException);
    expect([3, 4, 5].map((number) => coming.get(number)?.signal.aborted)).toEqual([true, false, false]);
    coming.get(4)?.come();
    expect((await second)[0]?.time).toBe(360_000);
    // there is none before the first and behind the last
    pieces.wish(0, -1).catch(() => undefined);
    pieces.wish(19, 20).catch(() => undefined);
    expect([...coming.keys()]).toEqual([3, 4, 5, 0, 19]);
    pieces.close();
    expect(coming.get(19)?.signal.aborted).toBe(true);
  });

  it('that are others than the list names are refused', async () => {
    const pieces = new PreviewPieces(list, () => Promise.resolve(bodyOf(7)));
    await expect(pieces.wish(6)).rejects.toThrow(PreviewError);
    await expect(pieces.wish(7)).resolves.toHaveLength(30);
  });
});

describe('the decoder', () => {
  const frames = readPiece(whole(), 90_000);

  it('gives the very frame, from its key frame on, and keeps no other', async () => {
    const codecs = new PretendedCodecs();
    const decoder = new PreviewDecoder(LIST, codecs.codecs);
    expect(await decoder.isSupported()).toBe(true);
    const frame = await decoder.decode(frames, 18);
    expect(frame?.timestamp).toBe(18);
    expect(codecs.decoded).toEqual([15, 16, 17, 18]);
    expect(codecs.open).toBe(1);
    frame?.close();
    (await decoder.decode(frames, 2))?.close();
    expect(codecs.decoded.slice(4)).toEqual([0, 1, 2]);
    expect([codecs.open, codecs.made]).toEqual([0, 1]);
    decoder.close();
  });

  it('that is asked for another frame gives up the first, and begins anew', async () => {
    const codecs = new PretendedCodecs();
    const decoder = new PreviewDecoder(LIST, codecs.codecs);
    const old = decoder.decode(frames, 18);
    const wished = decoder.decode(frames, 3);
    expect(await old).toBeNull();
    const frame = await wished;
    expect(frame?.timestamp).toBe(3);
    frame?.close();
    expect(codecs.open).toBe(0);
  });

  it('says what it cannot decode, and that it lacks a frame', async () => {
    const codecs = new PretendedCodecs();
    const decoder = new PreviewDecoder(LIST, codecs.codecs);
    codecs.broken = true;
    await expect(decoder.decode(frames, 3)).rejects.toThrow(PreviewError);
    codecs.broken = false;
    codecs.lacking.add(3);
    await expect(decoder.decode(frames, 3)).rejects.toThrow(PreviewError);
    codecs.supported = false;
    expect(await decoder.isSupported()).toBe(false);
    expect(codecs.open).toBe(0);
  });
});

describe('what is on top', () => {
  const span = { from: 5, until: 5.033 };
  const paused = { seeking: false, playing: false };

  it('is the preview, until the player shows that very frame', () => {
    const show = new PreviewShow();
    show.handlePicture(1, paused);
    show.handleWish(5.01, 0);
    expect([show.coming, show.shown]).toEqual([true, null]);
    show.handleDrawn(span, 5.01, 40);
    expect([show.coming, show.shown]).toEqual([false, span]);
    expect([show.isSaid(100), show.isSaid(190)]).toEqual([false, true]);
    // the picture from before is told of late
    show.handlePicture(1.033, { seeking: true, playing: false });
    expect(show.shown).toBe(span);
    show.handlePicture(4.9999999, { seeking: true, playing: false });
    expect([show.shown, show.wished, show.isSaid(500)]).toEqual([null, null, false]);
  });

  it('is never a preview over the sharp picture of the same frame', () => {
    const show = new PreviewShow();
    show.handlePicture(5, paused);
    show.handleWish(5.02, 0);
    show.handleDrawn(span, 5.02, 10);
    expect([show.shown, show.wished]).toEqual([null, null]);
  });

  it('is the picture of another moment on the way, while somebody drags, as what it is', () => {
    const show = new PreviewShow();
    show.handleWish(5.01, 0);
    show.handleWish(9, 10);
    show.handleDrawn(span, 5.01, 20);
    expect([show.coming, show.shown]).toEqual([true, span]);
    show.handlePicture(5, { seeking: true, playing: false });
    expect(show.shown).toBe(span);
    show.handleWish(5.02, 30);
    // that is there already
    expect(show.coming).toBe(false);
  });

  it('is the player as soon as it plays', () => {
    const show = new PreviewShow();
    show.handleWish(5.01, 0);
    show.handleDrawn(span, 5.01, 40);
    show.handlePicture(5.2, { seeking: true, playing: true });
    show.handlePicture(1.2, { seeking: false, playing: true });
    expect(show.shown).toBe(span);
    // the first frames were left out
    show.handlePicture(5.2, { seeking: false, playing: true });
    expect([show.shown, show.wished]).toEqual([null, null]);
    show.handleDrawn({ from: 5.033, until: 5.066 }, 5.04, 50);
    expect(show.shown).toBeNull();
  });

  it('is the player where it is there and its frames are told to nobody, and where there is no preview', () => {
    const show = new PreviewShow();
    show.handleWish(5.01, 0);
    show.handleDrawn(span, 5.01, 40);
    show.handleTick(true, 100);
    show.handleTick(false, 800);
    show.handleTick(true, 900);
    show.handleTick(true, 1800);
    expect(show.shown).toBe(span);
    show.handleTick(true, 1950);
    expect(show.shown).toBeNull();
    show.handleWish(5.01, 2000);
    expect(show.shown).toBe(span);
    show.handleWish(8, 2100);
    show.handleMissing();
    expect([show.shown, show.coming]).toEqual([null, false]);
  });

  it('is asked for once, wherever in its frame the wish lies', () => {
    const show = new PreviewShow();
    // nearer to the next frame's time than clocks are to each other
    show.handleWish(5.0329999, 0);
    show.handleDrawn(span, 5.0329999, 10);
    expect(show.coming).toBe(false);
    show.handleWish(4.9999999, 20);
    show.handleDrawn(span, 4.9999999, 30);
    expect(show.coming).toBe(false);
  });
});
