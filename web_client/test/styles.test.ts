import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CORE, dashOf, HALO, PALETTE, patternOf, STALE, strata } from '../src/annotation/styles';

const vectors = JSON.parse(readFileSync(new URL('../../tests/vectors/pens.json', import.meta.url), 'utf8')) as {
  people: { colour: string; dash: string }[];
  tissue: string[];
};

function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((i) => {
    const channel = parseInt(colour.slice(i, i + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** WCAG 2.2: from 1 to 21. */
function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

test('colours and dashes are those of the server', () => {
  expect(PALETTE.map((colour) => ({ colour, dash: dashOf(colour) }))).toEqual(vectors.people);
  expect(dashOf('#a9b4c0')).toBe('solid');
  expect(dashOf('#00C3FF')).toBe(dashOf('#00c3ff'));
});

test('on whatever tissue, the halo or the core stands out', () => {
  const greys = Array.from({ length: 256 }, (_, i) => `#${i.toString(16).padStart(2, '0').repeat(3)}`);
  for (const ground of [...vectors.tissue, ...greys, '#ff0000']) {
    expect(Math.max(contrast(ground, HALO), contrast(ground, CORE)), ground).toBeGreaterThan(4.2);
  }
});

test('each colour stands out from the core, and so does the grey of what is old', () => {
  for (const colour of [...PALETTE, STALE]) expect(contrast(colour, CORE), colour).toBeGreaterThan(4.5);
  expect(contrast(HALO, CORE)).toBeGreaterThan(15);
});

test('colour lies within the core and the core within the halo, by a pixel and more at any width', () => {
  for (const width of [1.5, 3, 6.5, 13, 40]) {
    const { halo, core, colour } = strata(width);
    expect(core - colour).toBeGreaterThan(1.5);
    expect(halo - core).toBeGreaterThanOrEqual(2);
  }
});

test('a dash is as long as its line is wide', () => {
  expect(patternOf('solid', 4)).toEqual([]);
  expect(patternOf('dashed', 2)).toEqual([8, 6]);
});
