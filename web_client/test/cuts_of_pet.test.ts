import { describe, expect, it } from 'vitest';
import { frameOf, readInstance } from '../src/dicom/image';
import { rescaled } from '../src/dicom/pixels';
import { resliced } from '../src/dicom/reslice';
import { Reformat } from '../src/dicom/reformat';
import { stackOf } from '../src/dicom/stack';
import { ct, element } from './fakes/dicom';

/** Each slice of a PET has a slope of its own (PS3.3, C.8.9.4); in this one every place has the value 1000 + 100 z. */
const SLOPES = [0.5, 2, 1.25, 4, 0.25];
const slice = (z: number, unit = 'BQML'): ReturnType<typeof readInstance> =>
  readInstance(ct({
    instance: `2.25.${z}`, number: z, position: [0, 0, z * 2],
    more: {
      '00080060': element('CS', 'PT'), '00281053': element('DS', SLOPES[z]), '00281052': element('DS', z * 10),
      '00281054': element('LO', unit),
    },
  }));

describe('a cut through slices that are rescaled each by its own slope', () => {
  const stack = stackOf('2.25.200', SLOPES.map((_, z) => slice(z)));
  const samples = SLOPES.map((slope, z) => new Float32Array(12).fill((1000 + 100 * z - 10 * z) / slope));

  it.each(['coronal', 'sagittal'] as const)('%s has the values of its places', (name) => {
    const reformat = new Reformat(stack);
    const [frame, order] = [reformat.frame(name, 1), reformat.order(name, 1, null)];
    if (frame === null || order === null || reformat.grid === null) throw new Error('no volume');
    // each frame's values go to whoever computes cuts in the scale of the first
    const slices = samples.map((values, at) => reformat.samples(at, { frame: stack.frames[at] ?? frame, samples: values, minimum: 0, maximum: 0 }));
    const pixels = reformat.pixels(frame, resliced({ grid: reformat.grid, slices }, order));
    const { columns, rows } = pixels.frame.of;
    expect(rows).toBeGreaterThan(10);
    for (let row = 0; row < rows; row++) {
      // downwards is towards the feet: z falls from 8 mm by 0.5 mm a row, 2 mm between slices
      const z = (8 - row * 0.5) / 2;
      expect(rescaled(pixels.frame, pixels.samples[row * columns] ?? NaN)).toBeCloseTo(1000 + 100 * z, 1);
    }
  });

  it('is made of one unit alone', () => {
    expect(stack.volume).toBe(true);
    const mixed = SLOPES.map((_, z) => slice(z, z === 3 ? 'CNTS' : 'BQML'));
    expect(stackOf('2.25.200', mixed).volume).toBe(false);
  });

  it('has its slopes from the instances', () => {
    expect(frameOf(slice(3), 1)).toMatchObject({ slope: 4, intercept: 30, unit: 'BQML' });
  });
});
