import { describe, expect, it } from 'vitest';
import { MarkLayer, MOVED_A_FRAME, type LayerMark, type Sheets } from '../src/annotation/mark_layer';
import { stretch, type Matrix } from '../src/annotation/matrix';
import type { Mark } from '../src/signalling/protocol';

const SIZE = { width: 4000, height: 2000 };
const GROUND = stretch(SIZE.width, SIZE.height);
const COUNT = 3 * MOVED_A_FRAME + 20;

const marks = Array.from({ length: COUNT }, (_, index): Mark => {
  const x = ((index * 37) % COUNT) / COUNT;
  return { mark: `m-${index}`, shape: 'line', anchor: { producer: 7, rtp_timestamp: 1 }, points: [[x, 0.1], [x, 0.9]], width: 0.002, text: '' };
});

function moved(by: number, stale = false): LayerMark[] {
  const matrix: Matrix = [GROUND[0], 0, 0, GROUND[3], by, 0];
  return marks.map((mark) => ({ mark, colour: '#fff', name: '', named: false, matrix, unit: SIZE.height, stale, follows: true }));
}

/** A layer, and where each mark was painted last. */
function stage(): { layer: MarkLayer; sheets: Sheets; places: Map<string, LayerMark> } {
  const places = new Map<string, LayerMark>();
  const layer = new MarkLayer((_, __, painted) => {
    places.set(painted.mark.mark, painted);
    return true;
  });
  const context = null as unknown as CanvasRenderingContext2D;
  const sheets: Sheets = { repaint: (areas, paint) => areas.forEach((area) => paint(context, area)) };
  layer.update(sheets, SIZE, true, moved(0), GROUND);
  return { layer, sheets, places };
}

describe('marks that go with their tissue', () => {
  it('go a lot a frame, and each has gone after as many frames as there are lots', () => {
    const { layer, sheets, places } = stage();
    expect(places.size).toBe(COUNT);
    const behind: number[] = [];
    for (let frame = 0; frame < 4; frame += 1) {
      layer.update(sheets, SIZE, false, moved(10), GROUND);
      behind.push(layer.behind);
    }
    expect(behind).toEqual([COUNT - MOVED_A_FRAME, COUNT - 2 * MOVED_A_FRAME, 20, 0]);
    expect([...places.values()].every(({ matrix }) => matrix[4] === 10)).toBe(true);
    layer.update(sheets, SIZE, false, moved(10), GROUND);
    expect(layer.repainted).toBe(0);
  });

  it('all go on where the tissue never rests: none waits for ever', () => {
    const { layer, sheets, places } = stage();
    for (let frame = 1; frame <= 12; frame += 1) layer.update(sheets, SIZE, false, moved(frame), GROUND);
    const lying = [...places.values()].map(({ matrix }) => matrix[4]);
    expect(Math.min(...lying)).toBeGreaterThanOrEqual(12 - 4);
  });

  it('turn grey at once, all of them, where they lie now', () => {
    const { layer, sheets, places } = stage();
    layer.update(sheets, SIZE, false, moved(10), GROUND);
    layer.update(sheets, SIZE, false, moved(10, true), GROUND);
    expect(layer.behind).toBe(0);
    expect([...places.values()].every(({ stale, matrix }) => stale && matrix[4] === 10)).toBe(true);
  });

  it('go at once with the picture itself, when it is shown elsewhere', () => {
    const { layer, sheets, places } = stage();
    const ground: Matrix = [GROUND[0], 0, 0, GROUND[3], 5, 0];
    layer.update(sheets, SIZE, false, moved(5), ground);
    expect(layer.behind).toBe(0);
    expect([...places.values()].every(({ matrix }) => matrix[4] === 5)).toBe(true);
  });
});
