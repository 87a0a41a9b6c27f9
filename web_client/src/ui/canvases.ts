/**
 * Where an overlay paints. Of a 4K canvas a browser handles all 33 MB whenever one pixel of it has changed; so what
 * stands lies on tiles, of which a change touches few, and what moves on patches no larger than itself.
 */
import { around, gathered, overlap, sizeOf, type Rectangle } from '../annotation/figure';
import type { Size } from '../annotation/geometry';
import type { LayerMark, Repaint, Sheets } from '../annotation/mark_layer';
import type { Point } from '../signalling/protocol';

/** A screen of 2560 × 1440 is one tile still: seams are nothing to have without need. */
const WHOLE_UP_TO = 2560 * 1440;
const TILE = 1024;
/** With more to be repainted than this share of what lies about it, or in so many places, all of that is. */
const WHOLE_FROM = 0.6;
const PLACES = 48;
/** Patches grow by steps: a stroke that becomes longer makes no new canvas with each point. */
const PATCH_STEP = 128;

interface Placed {
  canvas: HTMLCanvasElement;
  context: CanvasRenderingContext2D;
}

/** One thing that moves: where it lies on the whole, and how it is painted there. */
export interface Moving {
  bounds: Rectangle;
  paint: (context: CanvasRenderingContext2D) => void;
  /** Of a mark: as it is painted. */
  mark?: LayerMark;
  /** Whether it looks like what was painted before; left out: never. */
  isSame?: (before: Moving) => boolean;
  /** By how many whole pixels what was painted before is to be moved to look like it; null: it is to be painted anew. */
  shiftFrom?: (before: Moving) => Point | null;
}

export class CanvasTiles implements Sheets {
  #tiles: (Placed & { area: Rectangle })[] = [];
  #size: Size = { width: 0, height: 0 };
  #ratio = 0;

  constructor(private readonly host: HTMLElement) {}

  /** Cover a host of so many device pixels. True: all is empty now. */
  resize(size: Size, ratio: number): boolean {
    if (size.width === this.#size.width && size.height === this.#size.height && ratio === this.#ratio) return false;
    [this.#size, this.#ratio] = [size, ratio];
    for (const { canvas } of this.#tiles) canvas.remove();
    this.#tiles = [];
    const step = size.width * size.height <= WHOLE_UP_TO ? Math.max(size.width, size.height) : TILE;
    for (let top = 0; top < size.height; top += step) {
      for (let left = 0; left < size.width; left += step) {
        const area = { left, top, right: Math.min(size.width, left + step), bottom: Math.min(size.height, top + step) };
        const placed = place(this.host, area.right - left, area.bottom - top);
        if (placed === null) continue;
        move(placed.canvas, area, ratio);
        this.#tiles.push({ ...placed, area });
      }
    }
    return true;
  }

  repaint(areas: readonly Rectangle[], paint: Repaint): void {
    for (const { context, area: tile } of this.#tiles) {
      const here = areas.filter((area) => overlap(area, tile)).map((area) => common(area, tile));
      // one after another: a rectangle is the one clip that costs nothing, and what two share is painted twice alike
      for (const { left, top, right, bottom } of joined(here)) {
        context.save();
        context.translate(-tile.left, -tile.top);
        context.clearRect(left, top, right - left, bottom - top);
        context.beginPath();
        context.rect(left, top, right - left, bottom - top);
        context.clip();
        paint(context, { left, top, right, bottom });
        context.restore();
      }
    }
  }

  /** All of it on one canvas: for tests. */
  joined(): HTMLCanvasElement {
    const whole = document.createElement('canvas');
    [whole.width, whole.height] = [this.#size.width, this.#size.height];
    for (const { canvas, area } of this.#tiles) whole.getContext('2d')?.drawImage(canvas, area.left, area.top);
    return whole;
  }
}

interface Patch extends Placed {
  /** What was painted on it, and where; then it may have been moved. */
  shown: Moving | null;
  area: Rectangle;
  shift: Point;
}

export class CanvasPatches {
  readonly #patches: Patch[] = [];
  #ratio = 0;

  constructor(private readonly host: HTMLElement) {}

  /** Show these things and nothing else, the last on top. `size` is the whole's, device pixels. */
  paint(things: readonly Moving[], size: Size, ratio: number): void {
    const resized = ratio !== this.#ratio;
    this.#ratio = ratio;
    let count = 0;
    for (const thing of things) {
      const [area] = within(thing.bounds, size);
      if (area === undefined) continue;
      const patch = this.#patchFor(count, area);
      if (patch === null) continue;
      count += 1;
      const { canvas, context, shown } = patch;
      const isSame = !resized && shown !== null && sameArea(patch.area, area) && thing.isSame?.(shown) === true;
      // what the picture's edge has cut off is not there to be moved in
      const canMove = !isSame && !resized && shown !== null && isWithin(shown.bounds, size) && isWithin(thing.bounds, size);
      const shift: Point | null = isSame ? [0, 0] : canMove ? (thing.shiftFrom?.(shown) ?? null) : null;
      if (shift !== null) {
        if (shift[0] !== patch.shift[0] || shift[1] !== patch.shift[1]) move(canvas, moved(patch.area, shift), ratio, canvas.width, canvas.height);
        patch.shift = shift;
        continue;
      }
      [patch.shown, patch.area, patch.shift] = [thing, area, [0, 0]];
      move(canvas, area, ratio, canvas.width, canvas.height);
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.save();
      context.translate(-area.left, -area.top);
      thing.paint(context);
      context.restore();
    }
    for (const patch of this.#patches.slice(count)) {
      if (patch.shown !== null) patch.canvas.style.display = 'none';
      patch.shown = null;
    }
  }

  /** All of them where they lie, onto one canvas: for tests. */
  joinOnto(context: CanvasRenderingContext2D): void {
    for (const { canvas, shown, area, shift } of this.#patches) {
      if (shown !== null) context.drawImage(canvas, area.left + shift[0], area.top + shift[1]);
    }
  }

  #patchFor(index: number, area: Rectangle): Patch | null {
    const [width, height] = [stepped(area.right - area.left), stepped(area.bottom - area.top)];
    const known = this.#patches[index];
    if (known === undefined) {
      const placed = place(this.host, width, height);
      if (placed === null) return null;
      const patch: Patch = { ...placed, shown: null, area, shift: [0, 0] };
      this.#patches[index] = patch;
      return patch;
    }
    const { canvas } = known;
    if (known.shown === null) canvas.style.removeProperty('display');
    // one that is far larger than it need be is no patch any more
    const fits = canvas.width >= width && canvas.height >= height && canvas.width * canvas.height <= 4 * width * height;
    if (!fits) {
      [canvas.width, canvas.height] = [width, height];
      known.shown = null;
    }
    return known;
  }
}

/** Areas that together cover these: one, where they are many or cover most of what lies about them. */
function joined(areas: readonly Rectangle[]): Rectangle[] {
  const [first] = areas;
  if (first === undefined) return [];
  const all = areas.reduce(around, first);
  if (areas.length > PLACES) return [all];
  const some = gathered(areas);
  return some.reduce((sum, area) => sum + sizeOf(area), 0) > WHOLE_FROM * sizeOf(all) ? [all] : some;
}

function place(host: HTMLElement, width: number, height: number): Placed | null {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  canvas.setAttribute('aria-hidden', 'true');
  canvas.style.cssText = 'position:absolute;pointer-events:none';
  const context = canvas.getContext('2d');
  if (context === null) return null;
  host.append(canvas);
  return { canvas, context };
}

function move(canvas: HTMLCanvasElement, area: Rectangle, ratio: number, width = area.right - area.left, height = area.bottom - area.top): void {
  canvas.style.left = `${area.left / ratio}px`;
  canvas.style.top = `${area.top / ratio}px`;
  canvas.style.width = `${width / ratio}px`;
  canvas.style.height = `${height / ratio}px`;
}

function stepped(length: number): number {
  return Math.max(1, Math.ceil(length / PATCH_STEP)) * PATCH_STEP;
}

function within(area: Rectangle, { width, height }: Size): Rectangle[] {
  const kept = {
    left: Math.max(0, Math.floor(area.left)),
    top: Math.max(0, Math.floor(area.top)),
    right: Math.min(width, Math.ceil(area.right)),
    bottom: Math.min(height, Math.ceil(area.bottom)),
  };
  return kept.right > kept.left && kept.bottom > kept.top ? [kept] : [];
}

function isWithin({ left, top, right, bottom }: Rectangle, { width, height }: Size): boolean {
  return left >= 0 && top >= 0 && right <= width && bottom <= height;
}

function moved({ left, top, right, bottom }: Rectangle, [x, y]: Point): Rectangle {
  return { left: left + x, top: top + y, right: right + x, bottom: bottom + y };
}

function sameArea(one: Rectangle, other: Rectangle): boolean {
  return one.left === other.left && one.top === other.top && one.right === other.right && one.bottom === other.bottom;
}

function common(one: Rectangle, other: Rectangle): Rectangle {
  return {
    left: Math.max(one.left, other.left),
    top: Math.max(one.top, other.top),
    right: Math.min(one.right, other.right),
    bottom: Math.min(one.bottom, other.bottom),
  };
}
