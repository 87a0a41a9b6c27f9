/**
 * Paints one overlay on two canvases: below what stands (kept, `MarkLayer`), above what moves: strokes in progress,
 * what is in the hand, pointers, the crosshair. A frame clears of the upper one only what it painted there last.
 */
import { distanceTo, type Rectangle } from '../annotation/figure';
import type { Box, Size } from '../annotation/geometry';
import { apply, aspectOf, compose, heightOf, movementInFractions, scaled, type Matrix } from '../annotation/matrix';
import { MarkLayer, type LayerMark } from '../annotation/mark_layer';
import { figureOfPainted, paintedBounds, paintMark, plateReach, type Ground } from '../annotation/paint';
import { paintCrosshair, paintFrame, paintHandles, paintPointer, pointerBounds, type PaintedPointer } from '../annotation/paint_signs';
import { hasHandles } from '../annotation/shapes';
import { isVideo } from '../signalling/marks';
import type { Mark, Point } from '../signalling/protocol';
import type { DrawnMark, OverlayMark } from './overlay_source';

/** The mouse names a mark from this far, px. */
const REACH = 12;

export interface Scene {
  box: Box;
  /** From fractions of the picture to CSS pixels in the box. */
  matrix: Matrix;
  pixelRatio: number;
  marks: readonly OverlayMark[];
  pointers: readonly PaintedPointer[];
  /** The whole picture is old. */
  stale: boolean;
  /** Where the mouse rests, CSS px in the box; null: nowhere. */
  hover: Point | null;
  selected: ReadonlySet<string>;
  /** Held in the hand. */
  held: (mark: string) => boolean;
  crosshair: Point | null;
  measure: ((mark: Mark) => string | null) | null;
  /** Beside the name: why a mark is grey. */
  sayState: (mark: OverlayMark) => string;
}

export class OverlayPainter {
  readonly #layer = new MarkLayer();
  #dirty: Rectangle | null = null;
  /** Where what is selected lies, CSS px in the box; null: nothing is. */
  selectionBounds: Rectangle | null = null;

  /** Marks painted anew at the last call: for measurements. */
  get repainted(): number {
    return this.#layer.repainted;
  }

  paint(below: HTMLCanvasElement, above: HTMLCanvasElement, scene: Scene): DrawnMark[] {
    const { box, pixelRatio } = scene;
    const size = { width: Math.round(box.width * pixelRatio), height: Math.round(box.height * pixelRatio) };
    const [standing, moving] = [below.getContext('2d'), above.getContext('2d')];
    if (standing === null || moving === null) return [];
    // of an equal size nothing is assigned: that would empty it
    if (below.width !== size.width) below.width = size.width;
    if (below.height !== size.height) below.height = size.height;
    if (above.width !== size.width) above.width = size.width;
    if (above.height !== size.height) above.height = size.height;
    const matrix = scaled(scene.matrix, pixelRatio);
    const named = this.#nearest(scene, matrix, size);
    const all = scene.marks.map((mark) => this.#prepare(mark, scene, matrix, mark === named));
    const isMoving = (index: number): boolean => {
      const mark = scene.marks[index];
      return mark === undefined || mark.draft || scene.held(mark.mark.mark);
    };
    this.#layer.update(standing, size, all.filter((_, index) => !isMoving(index)));
    this.#paintMoving(moving, size, matrix, scene, all.filter((_, index) => isMoving(index)), all);
    return scene.marks.flatMap((one, index) => {
      if (one.draft) return [];
      const { mark, anchor } = one.mark;
      return [{ mark, rtp_timestamp: isVideo(anchor) ? anchor.rtp_timestamp : 0, stale: all[index]?.stale === true, outdated: one.outdated === true, measured: all[index]?.measured ?? null }];
    });
  }

  #prepare(one: OverlayMark, scene: Scene, matrix: Matrix, named: boolean): LayerMark {
    const state = scene.sayState(one);
    return {
      mark: one.mark,
      colour: one.colour,
      name: state === '' ? one.name : `${one.name} · ${state}`,
      // a mark that lost its tissue says so by itself, not only to the mouse
      named: (named && !scene.selected.has(one.mark.mark)) || one.state === 'lost',
      measured: scene.measure?.(one.mark) ?? undefined,
      matrix: movedBy(one, matrix),
      unit: heightOf(matrix),
      stale: scene.stale || one.outdated === true || (one.state !== undefined && one.state !== 'good'),
    };
  }

  #paintMoving(context: CanvasRenderingContext2D, size: Size, matrix: Matrix, scene: Scene, moving: LayerMark[], all: LayerMark[]): void {
    if (this.#dirty !== null) {
      const { left, top, right, bottom } = this.#dirty;
      context.clearRect(Math.floor(left) - 1, Math.floor(top) - 1, right - left + 3, bottom - top + 3);
    }
    this.#dirty = null;
    const ground: Ground = { matrix, size };
    for (const painted of moving) {
      const under: Ground = { matrix: painted.matrix, unit: painted.unit, size };
      paintMark(context, under, painted, painted.stale);
      const reach = painted.named || painted.measured !== undefined ? plateReach(size, painted.measured ?? painted.name) : { width: 0, height: 0 };
      this.#soil(grown(paintedBounds(painted.mark, under), reach.width, reach.height));
    }
    this.#paintSelected(context, size, scene, all);
    for (const pointer of scene.pointers) {
      paintPointer(context, ground, pointer);
      this.#soil(pointerBounds(ground, pointer));
    }
    if (scene.crosshair !== null) {
      paintCrosshair(context, ground, scene.crosshair);
      const [x, y] = apply(matrix, scene.crosshair);
      const arm = Math.max(14, size.height * 0.028) + 4;
      this.#soil({ left: x - arm, top: y - arm, right: x + arm, bottom: y + arm });
    }
  }

  #paintSelected(context: CanvasRenderingContext2D, size: Size, scene: Scene, all: readonly LayerMark[]): void {
    const selected = all.filter(({ mark }) => scene.selected.has(mark.mark));
    let sum: Rectangle | null = null;
    for (const { mark, matrix, unit } of selected) {
      const ground: Ground = { matrix, unit, size };
      const bounds = grown(paintedBounds(mark, ground), 4, 4);
      paintFrame(context, bounds);
      if (selected.length === 1 && hasHandles(mark)) paintHandles(context, ground, mark.points, true);
      const handles = Math.max(8, size.height * 0.01);
      this.#soil(grown(bounds, handles, handles));
      sum = sum === null ? bounds : union(sum, bounds);
    }
    const ratio = scene.pixelRatio;
    this.selectionBounds =
      sum === null ? null : { left: sum.left / ratio, top: sum.top / ratio, right: sum.right / ratio, bottom: sum.bottom / ratio };
  }

  #nearest(scene: Scene, matrix: Matrix, size: Size): OverlayMark | null {
    if (scene.hover === null) return null;
    const at: Point = [scene.hover[0] * scene.pixelRatio, scene.hover[1] * scene.pixelRatio];
    let best: OverlayMark | null = null;
    let reach = REACH * scene.pixelRatio;
    for (const one of scene.marks) {
      const ground: Ground = { matrix: movedBy(one, matrix), unit: heightOf(matrix), size };
      const away = distanceTo(figureOfPainted(one.mark, one.colour, ground), at);
      if (away <= reach) [best, reach] = [one, away];
    }
    return best;
  }

  #soil(area: Rectangle): void {
    this.#dirty = this.#dirty === null ? area : union(this.#dirty, area);
  }
}

/** The way from fractions of the picture to pixels, with the movement of the tissue under the mark. */
export function movedBy({ transform }: OverlayMark, matrix: Matrix): Matrix {
  return transform === undefined ? matrix : compose(matrix, movementInFractions(transform, aspectOf(matrix)));
}

function grown({ left, top, right, bottom }: Rectangle, x: number, y: number): Rectangle {
  return { left: left - x, top: top - y, right: right + x, bottom: bottom + y };
}

function union(one: Rectangle, other: Rectangle): Rectangle {
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}
