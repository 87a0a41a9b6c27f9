import { describe, expect, it } from 'vitest';
import { apply } from '../src/annotation/matrix';
import { actualPixels, matrixOf, panned, pointAt, zoomed } from '../src/dicom/layout';
import { cutLine, edgesOf, isMirrored, lettersOf, type Plane } from '../src/dicom/orientation';
import { UPRIGHT, type View } from '../src/dicom/viewport';
import { cutsOf, gridOf, planeOfCut, sliceThrough, placeOf } from '../src/dicom/volume';
import { resliced } from '../src/dicom/reslice';
import type { Samples } from '../src/dicom/pixels';
import type { Grid } from '../src/dicom/volume';
import { frameOf, readInstance, waysOfFrame } from '../src/dicom/image';
import { orderOfUse, stackOf } from '../src/dicom/stack';
import { ct } from './fakes/dicom';

const image = { columns: 200, rows: 100, aspect: 1 };
const pane = { width: 400, height: 400 };

const resample = (grid: Grid, slices: readonly (Samples | null)[], plane: Plane, outside: number): Float32Array =>
  resliced({ grid, slices }, { plane, slab: null, falling: false, outside }).samples;

function at(view: Partial<View>, point: [number, number], size = pane): number[] {
  return apply(matrixOf(image, size, { ...UPRIGHT, ...view }), point).map((value) => Math.round(value * 1e6) / 1e6);
}

describe('an image in a pane', () => {
  it('fits wholly, in the middle', () => {
    expect(at({}, [0, 0])).toEqual([0, 100]);
    expect(at({}, [1, 1])).toEqual([400, 300]);
  });

  it('turns clockwise and fits again', () => {
    // what was the upper left corner is at the upper right
    expect(at({ rotation: 90 }, [0, 0])).toEqual([300, 0]);
    expect(at({ rotation: 90 }, [1, 0])).toEqual([300, 400]);
    expect(at({ rotation: 180 }, [0, 0])).toEqual([400, 300]);
  });

  it('is mirrored on the screen, after the turn', () => {
    expect(at({ flip: true }, [0, 0])).toEqual([400, 100]);
    expect(at({ rotation: 90, flip: true }, [0, 0])).toEqual([100, 0]);
  });

  it('shows the same point in the middle on every screen', () => {
    const view = { centre: [0.25, 0.75] as [number, number], zoom: 3, rotation: 270, flip: true };
    for (const size of [pane, { width: 1200, height: 700 }, { width: 90, height: 333 }]) {
      expect(at(view, [0.25, 0.75], size)).toEqual([size.width / 2, size.height / 2]);
    }
  });

  it('has oblong pixels as high as they are', () => {
    const matrix = matrixOf({ columns: 100, rows: 100, aspect: 2 }, pane, UPRIGHT);
    expect(apply(matrix, [0, 0])).toEqual([100, 0]);
    expect(apply(matrix, [1, 1])).toEqual([300, 400]);
  });

  it('is held by the point under the fingers', () => {
    for (const view of [UPRIGHT, { ...UPRIGHT, rotation: 90, flip: true, zoom: 2 }]) {
      const before = pointAt(matrixOf(image, pane, view), [150, 180]);
      const after = zoomed(view, image, pane, 1.7, [150, 180]);
      pointAt(matrixOf(image, pane, after), [150, 180]).forEach((part, n) => expect(part).toBeCloseTo(before[n] ?? NaN, 9));
      const moved = panned(after, matrixOf(image, pane, after), 20, -10, pane);
      pointAt(matrixOf(image, pane, moved), [170, 170]).forEach((part, n) => expect(part).toBeCloseTo(before[n] ?? NaN, 9));
    }
  });

  it('lies pixel upon pixel at 1:1', () => {
    const matrix = matrixOf(image, { width: 333, height: 251 }, actualPixels(UPRIGHT, image, { width: 333, height: 251 }));
    expect([matrix[0], matrix[3]].map((value) => Math.round(value * 1e6) / 1e6)).toEqual([200, 100]);
    expect([matrix[4] % 1, matrix[5] % 1].map(Math.abs)).toEqual([0, 0]);
  });
});

describe('orientation', () => {
  it('names directions by their greatest parts', () => {
    expect(lettersOf([1, 0, 0])).toBe('L');
    expect(lettersOf([0, -1, 0])).toBe('A');
    expect(lettersOf([0, 0.7, -0.7])).toMatch(/^(PF|FP)$/);
    expect(lettersOf([-0.999, 0.04, 0])).toBe('R');
    expect(lettersOf([0, 0, 0])).toBe('');
  });

  it('turns and mirrors the letters with the image', () => {
    const ways = { right: 'L', bottom: 'P' };
    expect(edgesOf(ways, 0, false)).toEqual({ left: 'R', right: 'L', top: 'A', bottom: 'P' });
    expect(edgesOf(ways, 90, false)).toEqual({ left: 'P', right: 'A', top: 'R', bottom: 'L' });
    expect(edgesOf(ways, 270, true)).toEqual({ left: 'P', right: 'A', top: 'L', bottom: 'R' });
    expect(edgesOf(ways, 0, true)).toEqual({ left: 'L', right: 'R', top: 'A', bottom: 'P' });
    expect(edgesOf(null, 0, true)).toBeNull();
  });

  it('agrees with where the pixels go', () => {
    // the patient's left is at the image's right edge: wherever that edge lies, there must be the letter L
    for (const rotation of [0, 90, 180, 270]) {
      for (const flip of [false, true]) {
        const [x, y] = at({ rotation, flip }, [1, 0.5]) as [number, number];
        const side = Math.abs(x - 200) > Math.abs(y - 200) ? (x > 200 ? 'right' : 'left') : y > 200 ? 'bottom' : 'top';
        expect(edgesOf({ right: 'L', bottom: 'P' }, rotation, flip)?.[side]).toBe('L');
      }
    }
  });

  it('says mirrored what is, however it is turned', () => {
    expect(isMirrored({ right: 'L', bottom: 'P' }, false)).toBe(false);
    expect(isMirrored({ right: 'L', bottom: 'P' }, true)).toBe(true);
    // prone, and turned by a quarter: the same hand
    expect(isMirrored({ right: 'R', bottom: 'A' }, false)).toBe(false);
    expect(isMirrored({ right: 'A', bottom: 'L' }, false)).toBe(false);
    // stored with the left at the left; a mirror puts it right
    expect(isMirrored({ right: 'R', bottom: 'P' }, false)).toBe(true);
    expect(isMirrored({ right: 'R', bottom: 'P' }, true)).toBe(false);
    expect(isMirrored({ right: 'L', bottom: 'F' }, false)).toBe(false);
    expect(isMirrored({ right: 'R', bottom: 'FP' }, false)).toBe(true);
    // a side view is right from either side
    expect([isMirrored({ right: 'P', bottom: 'F' }, false), isMirrored({ right: 'A', bottom: 'F' }, false)]).toEqual([false, false]);
    expect([isMirrored(null, true), isMirrored(null, false)]).toEqual([true, false]);
  });

  it('draws where one plane cuts another, and nothing where they are parallel', () => {
    const axial: Plane = { origin: [0, 0, 50], column: [1, 0, 0], row: [0, 1, 0], columns: 101, rows: 101 };
    const coronal: Plane = { origin: [0, 25, 100], column: [1, 0, 0], row: [0, 0, -1], columns: 101, rows: 101 };
    const line = cutLine(axial, coronal);
    expect(line?.map(([, y]) => Math.round(y * 1010) / 1010)).toEqual([25.5 / 101, 25.5 / 101].map((y) => Math.round(y * 1010) / 1010));
    expect(line?.map(([x]) => x).sort()).toEqual([0, 1]);
    expect(cutLine(axial, { ...axial, origin: [0, 0, 60] })).toBeNull();
    expect(cutLine(axial, { ...coronal, origin: [0, 500, 100] })).toBeNull();
  });
});

describe('a series', () => {
  const instances = [3, 0, 2, 1].map((z) => readInstance(ct({ instance: `2.25.${z}`, number: 10 - z, position: [0, 0, z * 2.5] })));

  it('is ordered by place, the first image first, and makes a volume', () => {
    const stack = stackOf('s', instances);
    expect(stack.frames.map(({ of }) => of.number)).toEqual([7, 8, 9, 10]);
    expect([stack.volume, stack.step]).toEqual([true, 2.5]);
  });

  it('makes none where a slice is missing, and then keeps its order', () => {
    const gap = stackOf('s', [...instances, readInstance(ct({ instance: '2.25.9', number: 1, position: [0, 0, 30] }))]);
    expect(gap.volume).toBe(false);
    expect(gap.frames).toHaveLength(5);
  });

  it('goes by numbers where no place is known', () => {
    const flat = [2, 1].map((n) => readInstance(ct({ instance: `2.25.${n}`, number: n, position: null })));
    expect(stackOf('s', flat).frames.map(({ of }) => of.number)).toEqual([1, 2]);
  });

  it('is fetched from where one looks, mostly ahead', () => {
    expect(orderOfUse(5, 100, true, 6)).toEqual([5, 6, 7, 8, 4, 9]);
    expect(orderOfUse(5, 100, false, 6)).toEqual([5, 4, 3, 2, 6, 1]);
    expect(new Set(orderOfUse(99, 100, true, 100)).size).toBe(100);
    expect(orderOfUse(0, 1, true, 10)).toEqual([0]);
  });
});

describe('cuts through a volume', () => {
  // values tell their place: 10·x + 100·y + 1000·z mm
  const frames = [0, 1, 2, 3, 4].map((z) => frameOf(readInstance(ct({ instance: `2.25.${z}`, number: z, position: [5, 6, z * 2] })), 1));
  const grid = gridOf(frames);
  const slices = frames.map((frame) =>
    Float32Array.from({ length: 12 }, (_, at) => {
      const [column, row] = [at % 4, Math.floor(at / 4)];
      return 10 * (5 + column * 0.5) + 100 * (6 + row * 0.5) + 1000 * (frame.plane?.origin[2] ?? 0);
    }),
  );

  it.each(['axial', 'coronal', 'sagittal'] as const)('%s has the values of its places', (name) => {
    if (grid === null) throw new Error('no grid');
    const cuts = cutsOf(grid, name);
    for (let slice = 0; slice < cuts.count; slice++) {
      const plane = planeOfCut(cuts, slice);
      const values = resample(grid, slices, plane, -1);
      for (let row = 0; row < plane.rows; row++) {
        for (let column = 0; column < plane.columns; column++) {
          const [x, y, z] = placeOf(plane, [(column + 0.5) / plane.columns, (row + 0.5) / plane.rows]);
          expect(values[row * plane.columns + column]).toBeCloseTo(10 * x + 100 * y + 1000 * z, 1);
        }
      }
    }
  });

  it('has the letters of its way', () => {
    if (grid === null) throw new Error('no grid');
    const of = (name: 'axial' | 'coronal' | 'sagittal'): string[] => {
      const plane = cutsOf(grid, name).plane;
      return [lettersOf(plane.column), lettersOf(plane.row)];
    };
    expect([of('axial'), of('coronal'), of('sagittal')]).toEqual([['L', 'P'], ['L', 'F'], ['P', 'F']]);
  });

  it('lies between the frames that are there, and shows nothing beyond them', () => {
    if (grid === null) throw new Error('no grid');
    const holes = slices.map((slice, at) => (at === 2 || at === 3 ? null : slice));
    const plane = frames[2]?.plane ?? null;
    if (plane === null) throw new Error('no plane');
    // these values are linear: what is between two frames is what the missing one has
    expect([...resample(grid, holes, plane, -7)].map(Math.round)).toEqual([...(slices[2] ?? [])].map(Math.round));
    const open = slices.map((slice, at) => (at >= 2 ? null : slice));
    expect([...resample(grid, open, plane, -7)].every((value) => value === -7)).toBe(true);
    const far: Plane = { origin: [900, 0, 0], column: [1, 0, 0], row: [0, 1, 0], columns: 2, rows: 2 };
    expect([...resample(grid, slices, far, -7)]).toEqual([-7, -7, -7, -7]);
  });

  it('finds the cut through a point', () => {
    if (grid === null) throw new Error('no grid');
    expect(sliceThrough(cutsOf(grid, 'axial'), [5, 6, 4.1])).toBe(2);
    expect(sliceThrough(cutsOf(grid, 'axial'), [0, 0, -99])).toBe(0);
  });

  it('knows which way its frames lie', () => {
    expect(frames[0] && waysOfFrame(frames[0])).toEqual({ right: 'L', bottom: 'P' });
  });
});
