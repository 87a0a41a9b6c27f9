import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Attributes } from '../src/dicom/attributes';
import { frameOf, readInstance } from '../src/dicom/image';
import { MEASURING_SHAPES, POINTS_OF, measure, type Measured, type MeasuringShape } from '../src/dicom/measurements';
import { spacingOf, type Spacing, type SpacingAttributes, type UltrasoundRegion } from '../src/dicom/spacing';
import type { Point } from '../src/signalling/protocol';

interface Vectors {
  image: { columns: number; rows: number; stored: number[][] };
  spacing: { name: string; attributes: SpacingAttributes; expect: Spacing }[];
  frames: {
    name: string;
    attributes: Attributes;
    expect: { slope: number; intercept: number; unit: string; spacing: Spacing }[];
  }[];
  cases: {
    name: string;
    shape: MeasuringShape;
    points: Point[];
    spacing: Spacing;
    regions: UltrasoundRegion[];
    slope: number;
    intercept: number;
    expect: Omit<Measured, 'unit'>;
  }[];
}
const vectors = JSON.parse(readFileSync(new URL('../../tests/vectors/measurements.json', import.meta.url), 'utf8')) as Vectors;

describe('spacing', () => {
  it.each(vectors.spacing)('$name', ({ attributes, expect: wanted }) => expect(spacingOf(attributes)).toEqual(wanted));
});

describe('a frame', () => {
  it.each(vectors.frames)('$name', ({ attributes, expect: wanted }) => {
    wanted.forEach((one, at) => expect(frameOf(readInstance(attributes), at + 1)).toMatchObject(one));
  });
});

describe('measuring', () => {
  const { columns, rows, stored } = vectors.image;
  it.each(vectors.cases)('$name', ({ shape, points, spacing, regions, slope, intercept, expect: wanted }) => {
    const value = (column: number, row: number): number => (stored[row]?.[column] ?? NaN) * slope + intercept;
    const got = measure(shape, points, { columns, rows, spacing, regions, value, unit: 'HU' });
    expect(got).not.toBeNull();
    for (const [key, number] of Object.entries(wanted)) {
      const mine = got?.[key as keyof Measured];
      if (typeof number === 'number') expect(mine, key).toBeCloseTo(number, 5);
      else if (Array.isArray(number)) {
        expect((mine as number[]).length).toBe(number.length);
        number.forEach((length, at) => expect((mine as number[])[at]).toBeCloseTo(length, 9));
      } else expect(mine, key).toEqual(number);
    }
  });

  it('has a case for each shape', () => {
    expect(new Set(vectors.cases.map(({ shape }) => shape))).toEqual(new Set(MEASURING_SHAPES));
  });

  it('says nothing while points are missing, and no value where there is none', () => {
    const image = { columns, rows, spacing: { basis: 'none', x: 1, y: 1 } as const, regions: [], value: null, unit: '' };
    for (const shape of MEASURING_SHAPES) {
      const points = Array.from({ length: POINTS_OF[shape] }, (_, at): Point => [at / 10, at / 7]);
      expect(measure(shape, points.slice(1), image)).toBeNull();
      expect(measure(shape, points, image)?.mean).toBeNull();
    }
  });
});
