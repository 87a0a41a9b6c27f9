/**
 * Marks that lie among many that follow their tissue are painted once, each on an image of its own, and laid down where
 * they go: at whole pixels that costs a thirtieth of painting their lines anew, and turned or scaled as much as that. So
 * an image is laid as it is while the tissue turns and scales by less than can be seen; then it is painted anew, a few a
 * frame. A line is as wide as it was drawn, whatever the tissue's scale.
 */
import { looksAlike, type LayerMark } from '../annotation/mark_layer';
import { apply, compose, invert, type Matrix } from '../annotation/matrix';
import { paintedBounds, paintMark, type Context, type Ground } from '../annotation/paint';
import type { Point } from '../signalling/protocol';

/** So far, px, may any of its points lie beside its place for good; it is laid at whole pixels besides. */
const UNSEEN_PX = 0.75;
/** So far while others are painted anew before it, of the picture's height: 8 px at 4K. Beyond, it is painted at once. */
const BRIEFLY = 0.004;
/** What is larger is painted line by line, px: an image would hold mostly nothing. */
const LARGEST = 640 * 640;
/** Of all images together, px (96 MB): what has no room is painted line by line. */
const ROOM = 24_000_000;
/**
 * To make one takes 0.8 ms in software, to paint a mark's lines 0.4: so many are made a frame of those that have none,
 * and so many of those whose old one will do for a moment.
 */
const MADE_A_FRAME = 40;
const RENEWED_A_FRAME = 12;

interface Sprite {
  painted: LayerMark;
  image: ImageBitmap;
  /** What it is laid by, in fractions of the picture: the mark's middle. */
  middle: Point;
  /** Where the middle was, px. */
  at: Point;
  left: number;
  top: number;
  /** How far its points lie from the middle, px. */
  reach: number;
}

export class Sprites {
  readonly #sprites = new Map<string, Sprite>();
  #pixels = 0;
  #mayMake = 0;
  #mayRenew = 0;
  /** How many were made, all in all: for tests and measurements. */
  made = 0;

  /** A frame begins in which there are these marks. */
  begin(marks: readonly LayerMark[]): void {
    [this.#mayMake, this.#mayRenew] = [MADE_A_FRAME, RENEWED_A_FRAME];
    if (this.#sprites.size === 0) return;
    const here = new Set(marks.map(({ mark }) => mark.mark));
    for (const name of [...this.#sprites.keys()]) if (!here.has(name)) this.#forget(name);
  }

  /** Paint a mark. False: its image is to be made anew, when there is time. */
  paint(context: CanvasRenderingContext2D, ground: Ground, painted: LayerMark): boolean {
    const [sprite, isExact] = this.#spriteFor(ground, painted);
    if (sprite === null) paintMark(context, ground, painted, painted.stale);
    else {
      const [x, y] = apply(painted.matrix, sprite.middle);
      context.drawImage(sprite.image, sprite.left + Math.round(x - sprite.at[0]), sprite.top + Math.round(y - sprite.at[1]));
    }
    return isExact;
  }

  clear(): void {
    for (const name of [...this.#sprites.keys()]) this.#forget(name);
  }

  #spriteFor(ground: Ground, painted: LayerMark): [sprite: Sprite | null, isExact: boolean] {
    // plates keep within the picture, so they do not go with the mark
    if (painted.named || painted.measured !== undefined) return [null, true];
    const name = painted.mark.mark;
    const known = this.#sprites.get(name);
    const beside = known !== undefined && looksAlike(known.painted, painted) ? besideOf(known, painted) : Infinity;
    if (known !== undefined && beside <= UNSEEN_PX) return [known, true];
    const willDo = known !== undefined && beside <= BRIEFLY * painted.unit;
    if (willDo ? this.#mayRenew === 0 : this.#mayMake === 0) return [willDo ? known : null, !willDo];
    this.#forget(name);
    const made = spriteOf(ground, painted, ROOM - this.#pixels);
    if (made === null) return [null, true];
    if (willDo) this.#mayRenew -= 1;
    else this.#mayMake -= 1;
    this.made += 1;
    this.#sprites.set(name, made);
    this.#pixels += made.image.width * made.image.height;
    return [made, true];
  }

  #forget(name: string): void {
    const sprite = this.#sprites.get(name);
    if (sprite === undefined) return;
    this.#sprites.delete(name);
    this.#pixels -= sprite.image.width * sprite.image.height;
    sprite.image.close();
  }
}

/** By how many whole pixels what was painted of a mark may be moved to show it as it is now; null: it looks different. */
export function shiftOf(before: LayerMark, painted: LayerMark): Point | null {
  // plates keep within the picture, so they do not go with the mark
  if (painted.named || painted.measured !== undefined || !looksAlike(before, painted)) return null;
  const middle = middleOf(painted);
  const at = apply(before.matrix, middle);
  if (besideOf({ painted: before, reach: reachOf(before, at) }, painted) > UNSEEN_PX) return null;
  const [x, y] = apply(painted.matrix, middle);
  return [Math.round(x - at[0]), Math.round(y - at[1])];
}

/** How far points of the mark lie beside their place at most where its image is laid as it is, px. */
function besideOf({ painted: before, reach }: Pick<Sprite, 'painted' | 'reach'>, painted: LayerMark): number {
  // letters and discs stand upright, whatever the tissue does
  if (isUpright(painted)) return 0;
  const back = invert(linear(before.matrix));
  if (back === null) return Infinity;
  const [a, b, c, d] = compose(linear(painted.matrix), back);
  return reach * Math.max(Math.hypot(a - 1, b), Math.hypot(c, d - 1));
}

function isUpright({ mark: { shape } }: LayerMark): boolean {
  return shape === 'text' || shape === 'pin';
}

function linear([a, b, c, d]: Matrix): Matrix {
  return [a, b, c, d, 0, 0];
}

/** The mark on an image of its own; null where it is too large for one. */
function spriteOf(ground: Ground, painted: LayerMark, room: number): Sprite | null {
  const { left, top, right, bottom } = paintedBounds(painted.mark, ground);
  const [x, y] = [Math.floor(left), Math.floor(top)];
  const [width, height] = [Math.ceil(right) - x, Math.ceil(bottom) - y];
  if (!(width * height <= Math.min(LARGEST, room)) || width < 1 || height < 1) return null;
  const image = imageOf(width, height, (context) => {
    context.translate(-x, -y);
    paintMark(context, ground, painted, painted.stale);
  });
  if (image === null) return null;
  const middle = middleOf(painted);
  const at = apply(painted.matrix, middle);
  return { painted, image, middle, at, left: x, top: y, reach: reachOf(painted, at) };
}

/** An image that does not change any more: of a canvas, which might, the browser takes a copy each time. */
function imageOf(width: number, height: number, paint: (context: Context) => void): ImageBitmap | null {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  if (context === null) return null;
  paint(context);
  return canvas.transferToImageBitmap();
}

/** What a mark is laid by, in fractions of the picture. */
function middleOf(painted: LayerMark): Point {
  const { points } = painted.mark;
  if (isUpright(painted)) return points[0] ?? [0, 0];
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return [(Math.min(...xs) + Math.max(...xs)) / 2, (Math.min(...ys) + Math.max(...ys)) / 2];
}

/** How far its points lie from there, px. */
function reachOf({ mark: { points }, matrix }: LayerMark, at: Point): number {
  return points.reduce((reach, point) => Math.max(reach, distance(apply(matrix, point), at)), 0);
}

function distance(one: Point, other: Point): number {
  return Math.hypot(one[0] - other[0], one[1] - other[1]);
}
