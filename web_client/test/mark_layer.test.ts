import { describe, expect, it } from 'vitest';
import { MarkLayer, type LayerMark, type Repaint, type Sheets } from '../src/annotation/mark_layer';
import type { Rectangle } from '../src/annotation/figure';
import { stretch, type Matrix } from '../src/annotation/matrix';
import type { Mark } from '../src/signalling/protocol';

const SIZE = { width: 4000, height: 2000 };
const GROUND = stretch(SIZE.width, SIZE.height);
const COUNT = 40;

const marks = Array.from({ length: COUNT }, (_, index): Mark => {
  const x = (index + 0.5) / COUNT;
  return { mark: `m-${index}`, shape: 'line', anchor: { producer: 7, rtp_timestamp: 1 }, points: [[x, 0.1], [x, 0.9]], width: 0.002, text: '' };
});

function moved(by: number, changes: Partial<LayerMark> = {}): LayerMark[] {
  const matrix: Matrix = [GROUND[0], 0, 0, GROUND[3], by, 0];
  return marks.map((mark) => ({ mark, colour: '#fff', name: '', named: false, matrix, unit: SIZE.height, stale: false, follows: true, ...changes }));
}

/** What each mark was painted as last. */
class Stage implements Sheets {
  readonly places = new Map<string, LayerMark>();
  nearly = false;
  readonly layer = new MarkLayer((_, __, painted) => {
    this.places.set(painted.mark.mark, painted);
    return !this.nearly;
  });

  repaint(areas: readonly Rectangle[], paint: Repaint): void {
    for (const area of areas) paint(null as unknown as CanvasRenderingContext2D, area);
  }

  show(wanted: LayerMark[]): void {
    this.layer.update(this, SIZE, this.places.size === 0, wanted);
  }

  get shifts(): Set<number> {
    return new Set([...this.places.values()].map(({ matrix }) => matrix[4]));
  }
}

describe('marks that go with their tissue', () => {
  it('are painted where they have gone, and then no more', () => {
    const stage = new Stage();
    stage.show(moved(0));
    expect(stage.places.size).toBe(COUNT);
    stage.show(moved(10));
    expect([stage.layer.behind, stage.shifts, stage.layer.repainted]).toEqual([false, new Set([10]), COUNT]);
    stage.show(moved(10));
    expect(stage.layer.repainted).toBe(0);
  });

  it('are painted once more where they were painted nearly right, when nothing moves any more', () => {
    const stage = new Stage();
    stage.show(moved(0));
    stage.nearly = true;
    for (let frame = 1; frame < 20; frame += 1) stage.show(moved(frame));
    stage.nearly = false;
    stage.show(moved(19));
    expect([stage.layer.behind, stage.layer.repainted]).toEqual([true, 0]);
    let frames = 0;
    while (stage.layer.behind && frames < 100) {
      stage.show(moved(19));
      frames += 1;
    }
    expect(frames).toBeGreaterThan(5);
    expect(frames).toBeLessThan(30);
    stage.show(moved(19));
    expect(stage.layer.repainted).toBe(0);
  });
});
