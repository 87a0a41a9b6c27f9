/**
 * Paints one overlay: below what stands (kept, `MarkLayer`), above it what moves: strokes in progress, what is in the
 * hand, pointers, the crosshair. `canvases.ts` says on what.
 */
import { around, distanceTo, figureOf, type Rectangle } from '../annotation/figure';
import type { Box, Size } from '../annotation/geometry';
import { apply, aspectOf, compose, heightOf, movementInFractions, scaled, type Matrix } from '../annotation/matrix';
import { looksSame, MarkLayer, type LayerMark } from '../annotation/mark_layer';
import { paintedBounds, paintMark, plateReach, type Ground } from '../annotation/paint';
import { paintCrosshair, paintFrame, paintHandles, paintPointer, pointerBounds, type PaintedPointer } from '../annotation/paint_signs';
import { hasHandles } from '../annotation/shapes';
import { isVideo } from '../signalling/marks';
import type { Mark, Point } from '../signalling/protocol';
import { CanvasPatches, CanvasTiles, type Moving } from './canvases';
import type { DrawnMark, OverlayMark } from './overlay_source';
import { shiftOf, Sprites } from './sprites';

/** The mouse names a mark from this far, px. */
const REACH = 12;
/** So many marks still have room for words of their own. */
const SAID = 12;
/** So many marks that follow their tissue have a patch each; of more the patches would cost more than they save. */
const PATCHED = 64;

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
  /** The point of what is selected that the keyboard moves; null: none. */
  handle: number | null;
  /** Held in the hand. */
  held: (mark: string) => boolean;
  crosshair: Point | null;
  measure: ((mark: Mark) => string | null) | null;
  /** Beside the name: why a mark is grey. */
  sayState: (mark: OverlayMark) => string;
}

export class OverlayPainter {
  readonly #sprites = new Sprites();
  readonly #layer = new MarkLayer((context, ground, painted) => this.#paintStanding(context, ground, painted));
  /** Many marks follow their tissue: they lie among those that stand. */
  #manyFollow = false;
  readonly #tiles: CanvasTiles;
  readonly #patches: CanvasPatches;
  /** Where what is selected lies, CSS px in the box; null: nothing is. */
  selectionBounds: Rectangle | null = null;

  /** `below` and `above` are elements of the box's size, one over the other. */
  constructor(below: HTMLElement, above: HTMLElement) {
    this.#tiles = new CanvasTiles(below);
    this.#patches = new CanvasPatches(above);
  }

  /** Marks painted anew at the last call: for measurements. */
  get repainted(): number {
    return this.#layer.repainted;
  }

  /** Whether marks are painted nearly where they are: calls at the next frames see to it. */
  get behind(): boolean {
    return this.#layer.behind;
  }

  /** How many marks were painted to be moved with their tissue, all in all: for tests. */
  get sprites(): number {
    return this.#sprites.made;
  }

  /** What stands, on one canvas: for tests. */
  standing(): HTMLCanvasElement {
    return this.#tiles.joined();
  }

  /** What stands and what moves, on one canvas: for tests. */
  everything(): HTMLCanvasElement {
    const whole = this.#tiles.joined();
    const context = whole.getContext('2d');
    if (context !== null) this.#patches.joinOnto(context);
    return whole;
  }

  paint(scene: Scene): DrawnMark[] {
    const { box, pixelRatio } = scene;
    const size = { width: Math.round(box.width * pixelRatio), height: Math.round(box.height * pixelRatio) };
    const emptied = this.#tiles.resize(size, pixelRatio);
    if (emptied) this.#sprites.clear();
    const matrix = scaled(scene.matrix, pixelRatio);
    const named = this.#nearest(scene, matrix);
    const all = scene.marks.map((mark) => this.#prepare(mark, scene, matrix, mark === named));
    this.#manyFollow = scene.marks.filter(({ transform }) => transform !== undefined).length > PATCHED;
    this.#sprites.begin(this.#manyFollow ? all : []);
    const isMoving = (index: number): boolean => {
      const mark = scene.marks[index];
      return mark === undefined || mark.draft || scene.held(mark.mark.mark) || (!this.#manyFollow && mark.transform !== undefined);
    };
    this.#layer.update(this.#tiles, size, emptied, all.filter((_, index) => !isMoving(index)));
    this.#patches.paint(this.#moving(size, matrix, scene, all.filter((_, index) => isMoving(index)), all), size, pixelRatio);
    return scene.marks.flatMap((one, index) => {
      if (one.draft) return [];
      const { mark, anchor } = one.mark;
      return [{ mark, rtp_timestamp: isVideo(anchor) ? anchor.rtp_timestamp : 0, stale: all[index]?.stale === true, outdated: one.outdated === true, measured: all[index]?.measured ?? null, state: one.state ?? null, transform: one.transform ?? null }];
    });
  }

  #paintStanding(context: CanvasRenderingContext2D, ground: Ground, painted: LayerMark): boolean {
    if (this.#manyFollow) return this.#sprites.paint(context, ground, painted);
    paintMark(context, ground, painted, painted.stale);
    return true;
  }

  #prepare(one: OverlayMark, scene: Scene, matrix: Matrix, named: boolean): LayerMark {
    const state = scene.sayState(one);
    return {
      mark: one.mark,
      colour: one.colour,
      name: state === '' ? one.name : `${one.name} · ${state}`,
      // a mark that lost its tissue says so by itself, not only to the mouse; many that are stale at once are seen to be
      named: (named && !scene.selected.has(one.mark.mark)) || one.state === 'lost' || (one.state === 'stale' && scene.marks.length <= SAID),
      measured: scene.measure?.(one.mark) ?? undefined,
      matrix: movedBy(one, matrix),
      unit: heightOf(matrix),
      stale: scene.stale || one.outdated === true || (one.state !== undefined && one.state !== 'good'),
    };
  }

  #moving(size: Size, matrix: Matrix, scene: Scene, moving: LayerMark[], all: LayerMark[]): Moving[] {
    const ground: Ground = { matrix, size };
    const things: Moving[] = moving.map((painted) => {
      const under: Ground = { matrix: painted.matrix, unit: painted.unit, size };
      const reach = painted.named || painted.measured !== undefined ? plateReach(size, painted.measured ?? painted.name) : { width: 0, height: 0 };
      return {
        bounds: grown(paintedBounds(painted.mark, under), reach.width, reach.height),
        paint: (context) => paintMark(context, under, painted, painted.stale),
        mark: painted,
        isSame: ({ mark: before }) => before !== undefined && looksSame(before, painted),
        shiftFrom: ({ mark: before }) => (before === undefined ? null : shiftOf(before, painted)),
      };
    });
    things.push(...this.#selected(size, scene, all));
    for (const pointer of scene.pointers) {
      things.push({ bounds: pointerBounds(ground, pointer), paint: (context) => paintPointer(context, ground, pointer) });
    }
    const { crosshair } = scene;
    if (crosshair !== null) {
      const [x, y] = apply(matrix, crosshair);
      const arm = Math.max(14, size.height * 0.028) + 4;
      things.push({ bounds: { left: x - arm, top: y - arm, right: x + arm, bottom: y + arm }, paint: (context) => paintCrosshair(context, ground, crosshair) });
    }
    return things;
  }

  #selected(size: Size, scene: Scene, all: readonly LayerMark[]): Moving[] {
    const selected = all.filter(({ mark }) => scene.selected.has(mark.mark));
    let sum: Rectangle | null = null;
    const things = selected.map(({ mark, matrix, unit }): Moving => {
      const ground: Ground = { matrix, unit, size };
      const bounds = grown(paintedBounds(mark, ground), 4, 4);
      sum = sum === null ? bounds : around(sum, bounds);
      const handles = Math.max(16, size.height * 0.02);
      return {
        bounds: grown(bounds, handles, handles),
        paint: (context) => {
          paintFrame(context, bounds);
          if (selected.length === 1 && hasHandles(mark)) paintHandles(context, ground, mark.points, true, scene.handle);
        },
      };
    });
    this.selectionBounds = sum === null ? null : shrunk(sum, scene.pixelRatio);
    return things;
  }

  #nearest(scene: Scene, matrix: Matrix): OverlayMark | null {
    if (scene.hover === null) return null;
    const at: Point = [scene.hover[0] * scene.pixelRatio, scene.hover[1] * scene.pixelRatio];
    let best: OverlayMark | null = null;
    let reach = REACH * scene.pixelRatio;
    for (const one of scene.marks) {
      const away = distanceTo(figureOf(one.mark, movedBy(one, matrix), heightOf(matrix)), at);
      if (away <= reach) [best, reach] = [one, away];
    }
    return best;
  }
}

/** The way from fractions of the picture to pixels, with the movement of the tissue under the mark. */
export function movedBy({ transform }: OverlayMark, matrix: Matrix): Matrix {
  return transform === undefined ? matrix : compose(matrix, movementInFractions(transform, aspectOf(matrix)));
}

function grown({ left, top, right, bottom }: Rectangle, x: number, y: number): Rectangle {
  return { left: left - x, top: top - y, right: right + x, bottom: bottom + y };
}

function shrunk({ left, top, right, bottom }: Rectangle, ratio: number): Rectangle {
  return { left: left / ratio, top: top / ratio, right: right / ratio, bottom: bottom / ratio };
}
