import { describe, expect, it } from 'vitest';
import { Cutter, type Port } from '../src/dicom/cutter';
import { crossingOf } from '../src/dicom/crossing';
import { readInstance, type Frame } from '../src/dicom/image';
import { cutLine } from '../src/dicom/orientation';
import { Reformat } from '../src/dicom/reformat';
import { coarseFirst, depthsOf, resliced } from '../src/dicom/reslice';
import type { Made, Told } from '../src/dicom/reslice_worker';
import { stackOf, type Stack } from '../src/dicom/stack';
import { cutsOf, gridOf, placeOf, planeOfCut, type Grid } from '../src/dicom/volume';
import type { Vector } from '../src/dicom/vectors';
import type { Mark } from '../src/signalling/protocol';
import { ct, element } from './fakes/dicom';

/** What each place of the patient is worth: linear, so that what lies between voxels is known, too. */
const worth = ([x, y, z]: Vector): number => 10 * x + 100 * y + 1000 * z;

function series(places: readonly (readonly number[])[], more: (at: number) => object = () => ({})): Stack {
  return stackOf('s', places.map((position, at) => readInstance(ct({ instance: `2.25.${at + 1}`, number: at + 1, position, more: more(at) as never }))));
}
function valuesOf({ plane, of }: Frame): Float32Array<ArrayBuffer> {
  if (plane === null) throw new Error('it lies nowhere');
  return Float32Array.from({ length: of.columns * of.rows }, (_, at) =>
    worth(placeOf(plane, [((at % of.columns) + 0.5) / of.columns, (Math.floor(at / of.columns) + 0.5) / of.rows])),
  );
}
const straight = [0, 1, 2, 3, 4, 5, 6, 7].map((z) => [5, 6, z * 2]);
const gridFor = (stack: Stack): Grid => {
  const grid = gridOf(stack.frames);
  if (grid === null) throw new Error('no grid');
  return grid;
};
const order = { slab: null, falling: false, outside: -7 } as const;

describe('which series make a volume', () => {
  it.each([
    ['few', straight.slice(0, 3)],
    ['uneven', [...straight.slice(0, 5), [5, 6, 20]]],
    ['repeated', [...straight, [5, 6, 4]]],
    ['shifted', straight.map(([x = 0, y, z], at) => [at === 3 ? x + 1.5 : x, y, z] as number[])],
  ] as const)('%s: none, and the reason is known', (flat, places) => {
    expect(series(places)).toMatchObject({ volume: false, flat });
  });

  it('none of images that are turned, differ, or lie nowhere', () => {
    const turned = (at: number): object => (at === 2 ? { '00200037': element('DS', 1, 0, 0, 0, 0.8, 0.6) } : {});
    expect(series(straight, turned).flat).toBe('turned');
    expect(series(straight, (at) => (at === 2 ? { '00280010': element('US', 9) } : {})).flat).toBe('different');
    expect(series(straight, () => ({ '00280004': element('CS', 'PALETTE COLOR') })).flat).toBe('colour');
    expect(stackOf('s', [1, 2, 3, 4].map((n) => readInstance(ct({ instance: `2.25.${n}`, number: n, position: null })))).flat).toBe('unplaced');
    expect(series(straight)).toMatchObject({ volume: true, flat: null, tilt: 0 });
  });
});

describe('a tilted gantry', () => {
  // each image 0.7 mm further to the back for 2 mm towards the head
  const tilted = series(straight.map(([x = 0, y = 0, z = 0]) => [x, y + 0.35 * z, z]));

  it('is said in degrees', () => {
    expect(tilted.volume).toBe(true);
    expect(tilted.tilt).toBeCloseTo((Math.atan(0.35) * 180) / Math.PI, 6);
  });

  it.each(['axial', 'coronal', 'sagittal'] as const)('%s shows what lies at its places', (name) => {
    const grid = gridFor(tilted);
    const slices = tilted.frames.map(valuesOf);
    const cuts = cutsOf(grid, name);
    let inside = 0;
    for (let at = 0; at < cuts.count; at++) {
      const plane = planeOfCut(cuts, at);
      resliced({ grid, slices }, { ...order, plane }).samples.forEach((value, place) => {
        if (value === -7) return;
        inside += 1;
        const [x, y] = [place % plane.columns, Math.floor(place / plane.columns)];
        expect(value).toBeCloseTo(worth(placeOf(plane, [(x + 0.5) / plane.columns, (y + 0.5) / plane.rows])), 1);
      });
    }
    expect(inside).toBeGreaterThan(40);
  });
});

describe('a thick cut', () => {
  const stack = series(straight);
  const grid = gridFor(stack);
  const slices = stack.frames.map(valuesOf);
  const plane = planeOfCut(cutsOf(grid, 'axial'), 3);
  const thin = resliced({ grid, slices }, { ...order, plane });

  it('looks through as finely as the volume is made', () => {
    expect(depthsOf(grid, plane, { mode: 'mean', mm: 6 })).toEqual([-2, 0, 2]);
    expect(depthsOf(grid, plane, { mode: 'max', mm: 500 })).toHaveLength(64);
  });

  it('is the mean, or the greatest, of what it goes through', () => {
    const mean = resliced({ grid, slices }, { ...order, plane, slab: { mode: 'mean', mm: 6 } });
    mean.samples.forEach((value, at) => expect(value).toBeCloseTo(thin.samples[at] ?? NaN, 1));
    const most = resliced({ grid, slices }, { ...order, plane, slab: { mode: 'max', mm: 6 } });
    most.samples.forEach((value, at) => expect(value).toBeCloseTo((thin.samples[at] ?? NaN) + 2000, 1));
    const falling = resliced({ grid, slices }, { ...order, plane, falling: true, slab: { mode: 'max', mm: 6 } });
    falling.samples.forEach((value, at) => expect(value).toBeCloseTo((thin.samples[at] ?? NaN) - 2000, 1));
  });

  it('at the edge is made of what is there alone', () => {
    const edge = planeOfCut(cutsOf(grid, 'axial'), 0);
    const mean = resliced({ grid, slices }, { ...order, plane: edge, slab: { mode: 'mean', mm: 6 } });
    const first = resliced({ grid, slices }, { ...order, plane: edge });
    // the middle of 0 and 2 mm
    mean.samples.forEach((value, at) => expect(value).toBeCloseTo((first.samples[at] ?? NaN) + 1000, 1));
  });

  it('is coarse where that is asked for, and as large', () => {
    const coarse = resliced({ grid, slices }, { ...order, plane }, 2);
    expect(coarse.samples).toHaveLength(thin.samples.length);
    for (const [row, column] of [[0, 0], [1, 1], [2, 3]] as const) {
      const from = (row - (row % 2)) * plane.columns + column - (column % 2);
      expect(coarse.samples[row * plane.columns + column]).toBeCloseTo(thin.samples[from] ?? NaN, 1);
    }
  });
});

it('the frames of a volume are wanted from both ends inwards, each once', () => {
  expect(coarseFirst(9)).toEqual([0, 8, 4, 2, 6, 1, 3, 5, 7]);
  for (const count of [1, 2, 20, 1000]) expect([...coarseFirst(count)].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, at) => at));
});

it('frames whose values mean different things (PET) are brought to one scale', () => {
  const pet = series(straight, (at) => ({ '00281053': element('DS', at + 1), '00281052': element('DS', 10 * at) }));
  const reformat = new Reformat(pet);
  const frame = pet.frames[3];
  if (frame === undefined) throw new Error('no frame');
  const samples = reformat.samples(3, { frame, samples: Int16Array.from([7]), minimum: 7, maximum: 7 });
  // 7 · 4 + 30, in the scale of the first: slope 1, intercept 0
  expect([...samples]).toEqual([58]);
  expect(reformat.bytes).toBe(8 * 4 * 3 * 4);
});

describe('the cutter', () => {
  class FakePort implements Port {
    readonly told: Told[] = [];
    isClosed = false;
    constructor(
      readonly made: (made: Made) => void,
      readonly lost: () => void,
    ) {}
    post(told: Told): void {
      this.told.push(told);
    }
    close(): void {
      this.isClosed = true;
    }
    get cuts(): Extract<Told, { kind: 'cut' }>[] {
      return this.told.filter((one) => one.kind === 'cut');
    }
    answer(fine: boolean, there: number, at = this.cuts.length - 1): void {
      const { pane, ticket } = this.cuts[at] as { pane: string; ticket: number };
      this.made({ pane, ticket, fine, there, samples: new Float32Array(1), minimum: 0, maximum: 0 });
    }
  }
  const stack = series(straight);
  const pixels = (at: number): { frame: Frame; samples: Int16Array<ArrayBuffer>; minimum: number; maximum: number } => ({ frame: stack.frames[at] as Frame, samples: new Int16Array(12), minimum: 0, maximum: 0 });
  function begin(limit?: number): { cutter: Cutter; ports: FakePort[]; reformat: Reformat } {
    const ports: FakePort[] = [];
    const start = (made: (made: Made) => void, lost: () => void): Port => {
      const port = new FakePort(made, lost);
      ports.push(port);
      return port;
    };
    return { cutter: limit === undefined ? new Cutter(start) : new Cutter(start, limit), ports, reformat: new Reformat(stack) };
  }

  it('is given everything anew where its worker never began', () => {
    const { cutter, ports, reformat } = begin();
    let lost = 0;
    cutter.on('lost', () => (lost += 1));
    cutter.cut('0', reformat, 'axial', 2, null);
    cutter.give(reformat, 0, pixels(0));
    ports[0]?.lost();
    expect([lost, ports[0]?.isClosed, cutter.has(reformat, 0), cutter.bytes]).toEqual([1, true, false, 0]);
    cutter.cut('0', reformat, 'axial', 2, null);
    cutter.give(reformat, 0, pixels(0));
    expect(ports[1]?.cuts).toHaveLength(1);
    // the first one is told of twice
    ports[0]?.lost();
    expect([lost, ports[1]?.isClosed]).toEqual([1, false]);
  });

  it('asks when a first frame is there, and again when more came meanwhile, one question at a time', () => {
    const { cutter, ports, reformat } = begin();
    expect(cutter.cut('0', reformat, 'axial', 2, null)).toBeNull();
    const port = ports[0] as FakePort;
    expect(port.cuts).toHaveLength(0);
    for (const at of [0, 7, 3]) cutter.give(reformat, at, pixels(at));
    cutter.give(reformat, 3, pixels(3));
    expect(port.told.filter(({ kind }) => kind === 'slice')).toHaveLength(3);
    expect(port.cuts).toHaveLength(1);
    port.answer(true, 1);
    expect(cutter.cut('0', reformat, 'axial', 2, null)).toMatchObject({ slice: 2, there: 1, fine: true });
    expect(port.cuts).toHaveLength(2);
    port.answer(true, 3);
    expect(port.cuts).toHaveLength(2);
    expect(cutter.cut('0', reformat, 'axial', 2, null)).toMatchObject({ there: 3 });
  });

  it('shows the slice before for a moment, never another way to look, and drops answers that are too late', () => {
    const { cutter, ports, reformat } = begin();
    cutter.open(reformat);
    cutter.give(reformat, 0, pixels(0));
    cutter.cut('0', reformat, 'axial', 2, null);
    const port = ports[0] as FakePort;
    port.answer(true, 1);
    expect(cutter.cut('0', reformat, 'axial', 3, null)).toMatchObject({ slice: 2 });
    expect(cutter.cut('0', reformat, 'coronal', 0, null)).toBeNull();
    port.answer(true, 1, 1);
    expect(cutter.cut('0', reformat, 'coronal', 0, null)).toBeNull();
    port.answer(true, 1);
    expect(cutter.cut('0', reformat, 'coronal', 0, null)).toMatchObject({ name: 'coronal' });
  });

  it('does not put what is coarse over what is fine', () => {
    const { cutter, ports, reformat } = begin();
    cutter.open(reformat);
    cutter.give(reformat, 0, pixels(0));
    cutter.cut('0', reformat, 'axial', 2, { mode: 'max', mm: 50 });
    const port = ports[0] as FakePort;
    port.answer(false, 1);
    expect(cutter.cut('0', reformat, 'axial', 2, { mode: 'max', mm: 50 })).toMatchObject({ fine: false });
    port.answer(true, 1);
    cutter.give(reformat, 1, pixels(1));
    port.answer(false, 2);
    expect(cutter.cut('0', reformat, 'axial', 2, { mode: 'max', mm: 50 })).toMatchObject({ fine: true, there: 1 });
  });

  it('holds what is shown, within its bounds', () => {
    const { cutter, ports, reformat } = begin(8 * 4 * 3 * 2);
    cutter.open(reformat);
    expect(cutter.bytes).toBe(8 * 4 * 3 * 2);
    const other = new Reformat(series(straight));
    expect(cutter.fits(other)).toBe(false);
    expect(cutter.cut('1', other, 'axial', 0, null)).toBeNull();
    cutter.keep(new Map([['1', other]]));
    expect([ports[0]?.isClosed, cutter.bytes]).toEqual([true, 0]);
    expect(cutter.fits(other)).toBe(true);
  });
});

describe('between images and cuts', () => {
  const stack = series(straight);
  const grid = gridFor(stack);
  const image = stack.frames[3]?.plane;
  const coronal = planeOfCut(cutsOf(grid, 'coronal'), 1);
  if (image == null) throw new Error('no plane');

  it('lines are drawn both ways, at the place of the other', () => {
    const [there, here] = [cutLine(coronal, image), cutLine(image, coronal)];
    // the image lies at 6 mm: its line runs level across the cut; the cut lies at its second row
    const height = placeOf(coronal, there?.[0] as [number, number])[2];
    expect(height).toBeCloseTo(6, 6);
    expect(placeOf(coronal, there?.[1] as [number, number])[2]).toBeCloseTo(6, 6);
    expect(placeOf(image, here?.[0] as [number, number])[1]).toBeCloseTo(6.5, 6);
  });

  const mark = (shape: Mark['shape'], ...points: [number, number][]): Mark => ({ mark: 'm', shape, anchor: { SOPInstanceUID: '2.25.4', frame: 1 }, points, width: 0.004, text: '' });

  it('a mark is seen where its image crosses the cut', () => {
    // an ellipse over the middle row: its part on the cut is as wide as it is there
    const found = crossingOf(mark('ellipse', [0.25, 0], [0.75, 1]), image, coronal, 0.25);
    const places = found?.lines.flat().map((point) => placeOf(coronal, point));
    expect(places).toHaveLength(2);
    const xs = (places ?? []).map(([x]) => x).sort((a, b) => a - b);
    const [left, right] = [placeOf(image, [0.25, 0.5])[0], placeOf(image, [0.75, 0.5])[0]];
    expect(xs[0]).toBeCloseTo(left, 1);
    expect(xs[1]).toBeCloseTo(right, 1);
    for (const [, , z] of places ?? []) expect(z).toBeCloseTo(6, 6);
  });

  it('an arrow that goes through it is seen for as far as it is near, a pin where it stands, what is elsewhere not', () => {
    const arrow = crossingOf(mark('arrow', [0.5, 0], [0.5, 1]), image, coronal, 0.1);
    expect(arrow?.lines[0]?.map((point) => placeOf(coronal, point)[0])).toEqual([expect.closeTo(5.75, 6), expect.closeTo(5.75, 6)]);
    expect(crossingOf(mark('pin', [0.5, 0.5]), image, coronal, 0.1)?.lines).toEqual([[[expect.closeTo(0.5, 6), expect.any(Number)]]]);
    expect(crossingOf(mark('pin', [0.5, 0.95]), image, coronal, 0.1)).toBeNull();
    expect(crossingOf(mark('line', [0.1, 0.9], [0.9, 0.9]), image, coronal, 0.1)).toBeNull();
  });

  it('on a cut that lies as the image does the mark itself is seen', () => {
    const axial = planeOfCut(cutsOf(grid, 'axial'), 3);
    expect(crossingOf(mark('rectangle', [0.2, 0.2], [0.8, 0.8]), image, axial, 1)?.lines[0]).toHaveLength(5);
    expect(crossingOf(mark('rectangle', [0.2, 0.2], [0.8, 0.8]), image, planeOfCut(cutsOf(grid, 'axial'), 5), 1)).toBeNull();
  });
});
