import { describe, expect, it } from 'vitest';
import { readMillimetres } from '../src/annotation/field_scale';
import { FrameLoader } from '../src/dicom/frames';
import { frameOf, readInstance, sharesSpace } from '../src/dicom/image';
import { paintPixels, readPixels } from '../src/dicom/pixels';
import { placeIn, stackOf } from '../src/dicom/stack';
import { ImageError } from '../src/dicom/web';
import { dragged } from '../src/dicom/windowing';
import { ct, element } from './fakes/dicom';

describe('the frame that is named', () => {
  const stack = stackOf('2.25.200', [0, 1, 2].map((z) => readInstance(ct({ instance: `2.25.${z}`, number: z, position: [0, 0, z] }))));

  it('is found wherever it stands', () => {
    expect(placeIn(stack, { instance: '2.25.2', frame: 1, slice: 2 })).toBe(2);
    expect(placeIn(stack, { instance: '2.25.0', frame: 1, slice: 2 })).toBe(0);
  });
  it('is no other where it is missing', () => {
    expect(placeIn(stack, { instance: '2.25.9', frame: 1, slice: 2 })).toBe(-1);
    expect(placeIn(stack, { instance: '2.25.0', frame: 7, slice: 0 })).toBe(-1);
  });
});

describe('reference lines', () => {
  const of = (series: string, reference?: string): ReturnType<typeof readInstance> =>
    readInstance(ct({ more: { '0020000E': element('UI', series), ...(reference === undefined ? {} : { '00200052': element('UI', reference) }) } }));

  it('are drawn within one coordinate system alone', () => {
    expect(sharesSpace(of('2.25.1', '2.25.7'), of('2.25.2', '2.25.7'))).toBe(true);
    expect(sharesSpace(of('2.25.1', '2.25.7'), of('2.25.2', '2.25.8'))).toBe(false);
    expect(sharesSpace(of('2.25.1'), of('2.25.2'))).toBe(false);
    expect(sharesSpace(of('2.25.1'), of('2.25.1'))).toBe(true);
  });
});

describe('a frame that failed once', () => {
  it.each([['the line broke', new TypeError('Failed to fetch')], ['the server was busy', new ImageError(503, 'busy', 'Busy.')]])('is fetched again: %s', async (_, error) => {
    let away = true;
    const frame = frameOf(readInstance(ct()), 1);
    const loader = new FrameLoader(() => (away ? Promise.reject(error) : Promise.resolve(new ArrayBuffer(24))));
    const next = (): Promise<void> => new Promise((done) => { const end = loader.on('frame', () => { end(); done(); }); });
    const [first] = [next(), loader.want('0', [frame])];
    await first;
    expect(loader.state(frame)).toMatchObject({ failed: { reason: 'away' } });
    away = false;
    const [again] = [next(), loader.retry()];
    await again;
    expect(loader.state(frame)).toHaveProperty('pixels');
  });
});

describe('a window of the frame\'s own groups', () => {
  const groups = (kind: string, width: number): ReturnType<typeof ct> =>
    ct({ more: { '00281050': undefined, '00281051': undefined, '52009230': element('SQ', { '00289132': element('SQ', { '00281050': element('DS', -1018), '00281051': element('DS', width), '00281056': element('CS', kind) }) }) } });
  const greys = (attributes: ReturnType<typeof ct>): number[] => {
    const into = new Uint32Array(12);
    paintPixels(readPixels(frameOf(readInstance(attributes), 1), Int16Array.from({ length: 12 }, (_, n) => n).buffer), { window: null, invert: false }, into);
    return [...into].map((value) => value & 255);
  };

  it('has its function', () => {
    expect(greys(groups('SIGMOID', 10))).toEqual(Array.from({ length: 12 }, (_, n) => Math.round(255 / (1 + Math.exp((-4 * (n - 6)) / 10)))));
  });
  it('may be narrower than one, but not where it is LINEAR', () => {
    expect(greys(groups('LINEAR_EXACT', 0.5)).slice(5, 8)).toEqual([0, 128, 255]);
    expect(frameOf(readInstance(groups('LINEAR', 0.5)), 1).presets).toEqual([]);
    expect(dragged([0, 0.5], 1, 0, 1)[1]).toBeLessThan(1);
  });
});

describe('a length that is typed', () => {
  it.each([['10', 10], ['10 mm', 10], ['10,5', 10.5], ['１０', 10], ['2.5毫米', 2.5], ['.5', 0.5]])('%s is one', (typed, wanted) => expect(readMillimetres(typed)).toBe(wanted));
  it.each(['', 'NaN', 'ten', '-3', '0', '1e3', '10 cm', '0x10', '1.2.3', '99999'])('%s is none', (typed) => expect(readMillimetres(typed)).toBeNull());
});
