import { describe, expect, it } from 'vitest';
import { FrameLoader } from '../src/dicom/frames';
import { frameOf, readInstance, type Frame } from '../src/dicom/image';
import { expanded } from '../src/dicom/palette';
import { paintPixels, PixelError, readPixels, valueOf, ownWindow, fullWindow, type Look } from '../src/dicom/pixels';
import { readWaveforms } from '../src/dicom/waveform';
import { ImageError } from '../src/dicom/web';
import { dragged, grey, presetsFor, windowOver } from '../src/dicom/windowing';
import type { Attributes } from '../src/dicom/attributes';
import { ct, element } from './fakes/dicom';

const PLAIN: Look = { window: null, invert: false };

function painted(attributes: Attributes, samples: ArrayBufferView<ArrayBuffer>, look = PLAIN): number[][] {
  const frame = frameOf(readInstance(attributes), 1);
  const into = new Uint32Array(frame.of.columns * frame.of.rows);
  paintPixels(readPixels(frame, samples.buffer), look, into);
  return [...into].map((value) => [value & 255, (value >> 8) & 255, (value >> 16) & 255]);
}

const greys = (attributes: Attributes, samples: ArrayBufferView<ArrayBuffer>, look = PLAIN): (number | undefined)[] =>
  painted(attributes, samples, look).map(([red]) => red);

describe('a window', () => {
  it('is that of the standard, to the last step', () => {
    // PS3.3 C.11.2.1.2.1, its own examples: c=2048 w=4096, c=2048 w=1, c=0 w=100
    expect([0, 4095].map((x) => grey(x, [2048, 4096], 'LINEAR'))).toEqual([0, 255]);
    expect([2047, 2048].map((x) => grey(x, [2048, 1], 'LINEAR'))).toEqual([0, 255]);
    expect([-50, 49].map((x) => grey(x, [0, 100], 'LINEAR'))).toEqual([0, 255]);
    expect(grey(0, [0, 100], 'LINEAR_EXACT')).toBeCloseTo(127.5);
    expect(grey(0, [0, 100], 'SIGMOID')).toBeCloseTo(127.5);
  });

  it('over everything shows everything', () => {
    const window = windowOver(-1000, 3000);
    expect([grey(-1000, window, 'LINEAR'), grey(3000, window, 'LINEAR')]).toEqual([0, 255]);
  });

  it('is the file\'s first, or everything; a CT has those that everybody knows', () => {
    const pixels = readPixels(frameOf(readInstance(ct()), 1), Int16Array.from({ length: 12 }, (_, n) => n).buffer);
    expect(ownWindow(pixels)).toEqual([40, 400]);
    expect(fullWindow(pixels)).toEqual([(-1024 + -1013 + 1) / 2, 12]);
    expect(presetsFor('CT', pixels.frame.presets, null).map(({ name }) => name)).toContain('lung');
    expect(presetsFor('MR', [], [1, 2])).toEqual([{ name: 'full', label: '', window: [1, 2] }]);
  });

  it('never becomes narrower than one value under the hand', () => {
    expect(dragged([40, 400], -1e6, 10, 1000)).toEqual([50, 1]);
  });
});

describe('pixels', () => {
  it('are rescaled, windowed and turned round', () => {
    const samples = Int16Array.from([824, 1063, 1264, ...Array<number>(9).fill(0)]);
    expect(greys(ct(), samples).slice(0, 3)).toEqual([0, 127, 255]);
    expect(greys(ct(), samples, { window: null, invert: true }).slice(0, 3)).toEqual([255, 128, 0]);
    expect(greys(ct({ more: { '00280004': element('CS', 'MONOCHROME1') } }), samples).slice(0, 3)).toEqual([255, 128, 0]);
    expect(greys(ct(), samples, { window: [39.5, 2], invert: false }).slice(0, 3)).toEqual([0, 128, 255]);
  });

  it('of one byte, of floats, of colours, of a palette', () => {
    const eight = { '00280100': element('US', 8), '00280103': element('US', 0), '00281052': element('DS', 0), '00281050': element('DS', 128), '00281051': element('DS', 256) };
    expect(greys(ct({ more: eight }), Uint8Array.from({ length: 12 }, (_, n) => n * 20))).toEqual(Array.from({ length: 12 }, (_, n) => n * 20));
    const floating: Record<string, unknown> = { ...ct({ more: { '00280100': element('US', 32), '00281052': element('DS', 0) } }) };
    delete floating['00280103'];
    expect(greys(floating as Attributes, Float32Array.from([-160, 39.5, 239, ...Array<number>(9).fill(0)])).slice(0, 3)).toEqual([0, 128, 255]);
    const colour = { ...eight, '00280002': element('US', 3), '00280004': element('CS', 'RGB') };
    expect(painted(ct({ columns: 1, rows: 2, more: colour }), Uint8Array.from([1, 2, 3, 250, 251, 252]))).toEqual([[1, 2, 3], [250, 251, 252]]);
    const words = (...values: number[]): string => btoa(String.fromCharCode(...values.flatMap((value) => [value & 255, value >> 8])));
    const palette = {
      ...eight,
      '00280004': element('CS', 'PALETTE COLOR'),
      ...Object.fromEntries(['1', '2', '3'].map((n) => [`0028110${n}`, element('US', 2, 0, 16)])),
      '00281201': { vr: 'OW', InlineBinary: words(0x0000, 0xff00) },
      '00281202': { vr: 'OW', InlineBinary: words(0x1000, 0x2000) },
      '00281203': { vr: 'OW', InlineBinary: words(0x0000, 0x0000) },
    };
    expect(painted(ct({ columns: 2, rows: 1, more: palette }), Uint8Array.from([0, 1]))).toEqual([[0, 16, 0], [255, 32, 0]]);
  });

  it('of a palette in segments: values, ramps, and what stood elsewhere once more', () => {
    // 7, 9; a ramp to 19 in five steps; the two first segments again
    expect([...(expanded(Uint16Array.from([0, 2, 7, 9, 1, 5, 19, 2, 2, 0, 0]), 14, 2) ?? [])]).toEqual([7, 9, 11, 13, 15, 17, 19, 7, 9, 11, 13, 15, 17, 19]);
    expect([...(expanded(Uint16Array.from([0, 1, 100, 1, 4, 0, 2, 1, 0, 0, 0, 0]), 6, 1) ?? [])]).toEqual([100, 75, 50, 25, 0, 100]);
    // too few, unknown, one that names itself, one that lies beyond the end
    for (const segments of [[0, 2, 7, 9], [3, 1, 1], [2, 1, 0, 0], [0, 1, 5, 2, 1, 6, 0], [2, 1, 999, 0], [2, 65535, 1, 0], []]) expect(expanded(Uint16Array.from(segments), 4, 2)).toBeNull();
  });

  it('that are no image, or too few, are said so', () => {
    const read = (more: Attributes, bytes: number): (() => unknown) => () => readPixels(frameOf(readInstance(ct({ more })), 1), new ArrayBuffer(bytes));
    expect(read({}, 23)).toThrow(new PixelError('size'));
    expect(read({ '00280004': element('CS', 'XYZ') }, 24)).toThrow(new PixelError('kind'));
    expect(read({ '00280004': element('CS', 'PALETTE COLOR') }, 24)).toThrow(new PixelError('palette'));
    expect(read({ '00280010': element('US', 0) }, 24)).toThrow(new PixelError('none'));
    expect(read({ '00280100': element('US', 12) }, 24)).toThrow(new PixelError('kind'));
  });

  it('have values for measuring, in HU', () => {
    const frame = frameOf(readInstance(ct()), 1);
    const value = valueOf(readPixels(frame, Int16Array.from({ length: 12 }, (_, n) => n).buffer));
    expect([value?.(3, 2), frame.unit, frame.spacing.basis]).toEqual([11 - 1024, 'HU', 'spacing']);
  });

  it('of enhanced frames take what is each one\'s own', () => {
    const group = (sequence: string, item: Attributes): Attributes => ({ [sequence]: element('SQ', item) });
    const enhanced: Attributes = {
      ...ct({ position: null }),
      '00280008': element('IS', 2),
      '52009229': element('SQ', { ...group('00289110', { '00280030': element('DS', 0.25, 0.75) }), ...group('00209116', { '00200037': element('DS', 0, 1, 0, 0, 0, -1) }) }),
      '52009230': element('SQ', group('00209113', { '00200032': element('DS', 1, 2, 3) }), { ...group('00209113', { '00200032': element('DS', 4, 2, 3) }), ...group('00289145', { '00281052': element('DS', 7), '00281053': element('DS', 2) }) }),
    };
    const second = frameOf(readInstance(enhanced), 2);
    expect([second.slope, second.intercept, second.spacing, second.plane?.origin]).toEqual([2, 7, { basis: 'spacing', x: 0.75, y: 0.25 }, [4, 2, 3]]);
    expect(frameOf(readInstance(enhanced), 1).intercept).toBe(-1024);
  });

  it('of films have their own speed', () => {
    const time = (more: Attributes): number | null => readInstance(ct({ more })).frameTime;
    expect(time({ '00181063': element('DS', 40) })).toBe(40);
    expect(time({ '00082144': element('IS', 30), '00181063': element('DS', 40) })).toBeCloseTo(33.333, 2);
    expect(time({ '00181065': element('DS', 0, 30, 50) })).toBe(40);
    expect(time({ '00180040': element('IS', 0) })).toBeNull();
  });
});

describe('curves', () => {
  it('are read in the units of their channels', () => {
    const samples = new Uint8Array(Int16Array.from([100, 10, -100, -10]).buffer);
    const [wave] = readWaveforms({
      '54000100': element('SQ', {
        '003A0005': element('US', 2), '003A0010': element('UL', 2), '003A001A': element('DS', 500),
        '54001004': element('US', 16), '54001006': element('CS', 'SS'),
        '54001010': { vr: 'OW', InlineBinary: btoa(String.fromCharCode(...samples)) },
        '003A0200': element('SQ',
          { '003A0210': element('DS', 1.25), '003A0211': element('SQ', { '00080100': element('SH', 'uV') }), '003A0208': element('SQ', { '00080104': element('LO', 'Lead II (Einthoven)') }) },
          { '003A0213': element('DS', 3) }),
      }),
    });
    expect(wave?.channels.map(({ label, unit, values }) => [label, unit, ...values])).toEqual([['II', 'uV', 125, -125], ['', '', 13, -7]]);
    expect([wave?.rate, wave?.seconds]).toEqual([500, 0.004]);
  });

  it('that lie about their length are left out', () => {
    expect(readWaveforms({ '54000100': element('SQ', { '003A0005': element('US', 60000), '003A0010': element('UL', 4e9), '003A001A': element('DS', 500), '54001010': { vr: 'OW', InlineBinary: 'AAAA' } }) })).toEqual([]);
    expect(readWaveforms({ '54000100': element('SQ', { '54001010': { vr: 'OW', InlineBinary: '%%%' } }) })).toEqual([]);
  });
});

describe('fetching', () => {
  const frames = Array.from({ length: 20 }, (_, n): Frame => frameOf(readInstance(ct({ instance: `2.25.${n}` })), 1));

  function loader(limit?: number): { fetch: FrameLoader; asked: string[]; answer: (n: number, what?: Error) => Promise<void>; aborted: string[] } {
    const asked: string[] = [];
    const aborted: string[] = [];
    const open = new Map<string, { done: (bytes: ArrayBuffer) => void; failed: (error: Error) => void }>();
    const fetch = new FrameLoader((frame, signal) => {
      asked.push(frame.of.instance);
      return new Promise((done, failed) => {
        open.set(frame.of.instance, { done, failed });
        signal.addEventListener('abort', () => {
          aborted.push(frame.of.instance);
          failed(new Error('aborted'));
        });
      });
    }, limit);
    return {
      fetch, asked, aborted,
      answer: async (n, what) => {
        const waiting = open.get(`2.25.${n}`);
        if (what === undefined) waiting?.done(new ArrayBuffer(24));
        else waiting?.failed(what);
        await new Promise((done) => setImmediate(done));
      },
    };
  }

  it('asks for what is looked at first, six at a time, each once', async () => {
    const { fetch, asked, answer } = loader();
    fetch.want('a', frames.slice(0, 10));
    expect(asked).toEqual([0, 1, 2, 3, 4, 5].map((n) => `2.25.${n}`));
    await answer(0);
    expect(asked).toHaveLength(7);
    expect(fetch.state(frames[0] as Frame)).toHaveProperty('pixels');
    fetch.want('a', frames.slice(0, 10));
    expect(new Set(asked).size).toBe(asked.length);
    expect(fetch.countOf(frames)).toBe(1);
  });

  it('lets go of what nobody wants any more when something else is looked at', () => {
    const { fetch, asked, aborted } = loader();
    fetch.want('a', frames.slice(0, 6));
    fetch.want('a', frames.slice(12, 15));
    expect(aborted).toHaveLength(6);
    expect(asked.length === 6 || asked[6] === '2.25.12').toBe(true);
  });

  it('serves all panes in turn', () => {
    const { fetch, asked } = loader();
    fetch.want('a', frames.slice(0, 1));
    fetch.want('b', frames.slice(10, 12));
    expect(asked).toEqual(['2.25.0', '2.25.10', '2.25.11']);
  });

  it('says what failed, and tries again what could not be reached', async () => {
    const { fetch, asked, answer } = loader();
    fetch.want('a', frames.slice(0, 2));
    await answer(0, new ImageError(403, 'withheld', 'Words may stand in this picture.'));
    await answer(1, new TypeError('network'));
    expect(fetch.state(frames[0] as Frame)).toEqual({ failed: { reason: 'refused', code: 'withheld', message: 'Words may stand in this picture.' } });
    expect(fetch.state(frames[1] as Frame)).toEqual({ failed: { reason: 'away', code: '', message: '' } });
    fetch.retry();
    expect(asked).toEqual(['2.25.0', '2.25.1', '2.25.1']);
  });

  it('keeps no more than it may, and what is looked at in any case', async () => {
    const { fetch, answer } = loader(24 * 3);
    fetch.want('a', frames.slice(0, 6));
    for (const n of [0, 1, 2]) await answer(n);
    fetch.want('a', frames.slice(10, 11));
    await answer(10);
    expect(fetch.state(frames[10] as Frame)).toHaveProperty('pixels');
    expect(fetch.countOf(frames)).toBe(3);
  });
});
