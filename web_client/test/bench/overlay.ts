/**
 * The overlay's painter alone, in a real browser: how long frames take with hundreds of marks over a 4K picture, and
 * whether what it repaints in part looks like what is painted whole. The page's own code paints; nothing is imitated.
 */
import { stretch, type Matrix } from '../../src/annotation/matrix';
import { paintMark } from '../../src/annotation/paint';
import type { PaintedPointer } from '../../src/annotation/paint_signs';
import { PALETTE } from '../../src/annotation/styles';
import type { Mark, Point, Shape } from '../../src/signalling/protocol';
import type { OverlayMark } from '../../src/ui/overlay_source';
import { movedBy, OverlayPainter, type Scene } from '../../src/ui/overlay_painter';

export const SCENES = ['still', 'pointer', 'drawing', 'changes', 'following', 'most_follow', 'all_follow', 'all_turn', 'uncached'] as const;
export type SceneName = (typeof SCENES)[number];

export interface Figures {
  frames: number;
  /** Between frames, ms. */
  interval_p50: number;
  interval_p95: number;
  interval_p99: number;
  /** Share of the frames that came within a 60th of a second and a half. */
  on_time: number;
  /** What the painter takes of the page's own thread, ms a frame. */
  paint_p50: number;
  paint_p95: number;
  paint_max: number;
  /** Marks painted anew, a frame. */
  repainted: number;
}

/** Until the page is warm, and marks that follow have been painted once each, ms. */
const WARM_UP = 2000;
const WORDS = ['clip', 'artery', '在此', 'not here', 'nerve'];
const SHAPES: readonly Shape[] = ['freehand', 'arrow', 'ellipse', 'text', 'line', 'rectangle', 'polygon', 'pin'];
/** Long enough ago. */
const ANCHOR = { producer: 7, rtp_timestamp: 1 };

/** The same numbers each time (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

function makeMark(index: number, next: () => number): OverlayMark {
  const shape = SHAPES[index % SHAPES.length] ?? 'line';
  const [x, y] = [0.05 + 0.8 * next(), 0.05 + 0.8 * next()];
  const near = (): Point => [x + 0.1 * next(), y + 0.1 * next()];
  let points: Point[] = [[x, y], near()];
  let pressures: number[] | undefined;
  if (shape === 'freehand') {
    points = Array.from({ length: 120 }, (_, i): Point => [x + 0.0008 * i, y + 0.02 * Math.sin(i / 9 + index)]);
    if (index % 16 === 0) pressures = points.map((_, i) => 0.5 + 0.4 * Math.sin(i / 20));
  } else if (shape === 'polygon') points = Array.from({ length: 6 }, near);
  else if (shape === 'text' || shape === 'pin') points = [[x, y]];
  const text = shape === 'text' ? (WORDS[index % WORDS.length] ?? '') : '';
  const mark: Mark = { mark: `m-${index}`, shape, anchor: ANCHOR, points, width: 0.003 + 0.003 * (index % 3), text, number: (index % 99) + 1 };
  if (pressures !== undefined) mark.pressures = pressures;
  return { mark, author: `pt-${index % 16}`, name: `Prof. ${index % 16}`, colour: PALETTE[index % 16] ?? '#ffffff', draft: false };
}

export function makeMarks(count: number, seed = 7): OverlayMark[] {
  const next = random(seed);
  return Array.from({ length: count }, (_, index) => makeMark(index, next));
}

interface Stage {
  below: HTMLElement;
  above: HTMLElement;
  /** For what is painted without anything kept. */
  plain: HTMLCanvasElement;
  width: number;
  height: number;
}

/** A picture under two canvases, as on the page; `moving`: it is a video at 30 frames a second. */
async function setStage(width: number, height: number, moving: boolean): Promise<Stage> {
  document.body.replaceChildren();
  document.body.style.margin = '0';
  const cover = (element: HTMLElement): void => {
    element.style.cssText = `position:absolute;left:0;top:0;width:${width}px;height:${height}px`;
    document.body.append(element);
  };
  const field = document.createElement('canvas');
  [field.width, field.height] = [width, height];
  const context = field.getContext('2d');
  const paintField = (time: number): void => {
    if (context === null) return;
    context.fillStyle = '#7a1f1f';
    context.fillRect(0, 0, width, height);
    context.fillStyle = '#d98880';
    context.fillRect((time / 4) % width, height / 3, width / 5, height / 3);
  };
  paintField(0);
  if (moving) {
    const video = document.createElement('video');
    video.muted = true;
    video.srcObject = field.captureStream(30);
    cover(video);
    setInterval(() => paintField(performance.now()), 1000 / 30);
    await video.play();
  } else cover(field);
  const [below, above, plain] = [document.createElement('div'), document.createElement('div'), document.createElement('canvas')];
  cover(below);
  cover(above);
  return { below, above, plain, width, height };
}

function sceneOf(stage: Stage, marks: readonly OverlayMark[], pointers: readonly PaintedPointer[] = []): Scene {
  const { width, height } = stage;
  return {
    box: { left: 0, top: 0, width, height },
    matrix: stretch(width, height),
    pixelRatio: 1,
    marks,
    pointers,
    stale: false,
    hover: null,
    selected: new Set(),
    held: () => false,
    crosshair: null,
    handle: null,
    measure: null,
    sayState: () => '',
  };
}

/** A hand-held camera, and what each mark's tissue does beside it: shift, turn and scale. */
const swayed = (step: number, index: number): Matrix => {
  const scale = 1 + 0.03 * Math.sin(step / 9) + 0.003 * Math.sin(step + index);
  const turn = 0.08 * Math.sin(step / 6) + 0.004 * Math.cos(step + index);
  const [a, b] = [scale * Math.cos(turn), scale * Math.sin(turn)];
  // about the middle of the picture
  const [x, y] = [8 / 9, 0.5];
  return [a, b, -b, a, x - a * x + b * y + 0.01 * Math.sin(step / 7), y - b * x - a * y + 0.01 * Math.cos(step / 5)];
};

const turned = (step: number): Matrix => [1, 0, 0, 1, 0.01 * Math.sin(step / 7), 0.01 * Math.cos(step / 5)];

/** What is seen at one frame. The marks that change are few, or all, by the scene's name. */
function sceneAt(name: SceneName, stage: Stage, marks: OverlayMark[], frame: number, now: number): Scene {
  const pointer = (x: number): PaintedPointer => ({
    colour: '#00ff87',
    name: 'Prof. Keller',
    trail: [0, 1, 2, 3].map((i): PaintedPointer['trail'][number] => ({ point: [x - 0.01 * (3 - i), 0.5], age: (3 - i) / 4 })),
  });
  const sway = 0.5 + 0.4 * Math.sin(now / 700);
  const tick = Math.floor(now / 100);
  switch (name) {
    case 'still':
    case 'uncached':
      return sceneOf(stage, marks);
    case 'pointer':
      return sceneOf(stage, marks, [pointer(sway), { ...pointer(1 - sway), ghost: true }]);
    case 'drawing': {
      const points = Array.from({ length: 20 + (frame % 300) }, (_, i): Point => [0.1 + 0.0025 * i, 0.5 + 0.2 * Math.sin(i / 20)]);
      const mark: Mark = { mark: 'drawn', shape: 'freehand', anchor: ANCHOR, points, width: 0.006, text: '' };
      return sceneOf(stage, [...marks, { mark, author: 'pt-0', name: '', colour: '#00c3ff', draft: true }], [pointer(sway)]);
    }
    case 'changes':
      // ten times a second one goes, and another comes
      return sceneOf(stage, marks.filter((_, index) => index !== tick % marks.length));
    case 'following':
      return sceneOf(stage, marks.map((mark, index) => (index < 20 ? { ...mark, transform: turned(tick), state: 'good' } : mark)));
    case 'most_follow':
      // what a field's worker watches at most
      return sceneOf(stage, marks.map((mark, index) => (index < 200 ? { ...mark, transform: swayed(tick, index), state: 'good' } : mark)));
    case 'all_follow':
      return sceneOf(stage, marks.map((mark) => ({ ...mark, transform: turned(tick), state: 'good' })));
    case 'all_turn':
      return sceneOf(stage, marks.map((mark, index) => ({ ...mark, transform: swayed(tick, index), state: 'good' })));
  }
}

export async function run(name: SceneName, options: { marks: number; width: number; height: number; seconds: number; moving: boolean }): Promise<Figures> {
  const stage = await setStage(options.width, options.height, options.moving);
  const marks = makeMarks(options.marks);
  if (name === 'uncached') stage.below.append(stage.plain);
  const painter = new OverlayPainter(stage.below, stage.above);
  const [intervals, paints]: [number[], number[]] = [[], []];
  let repainted = 0;
  let before = 0;
  await new Promise<void>((done) => {
    const begun = performance.now();
    let frame = 0;
    const next = (time: number): void => {
      const started = performance.now();
      const scene = sceneAt(name, stage, marks, frame, started);
      if (name === 'uncached') paintAll(stage, scene);
      else painter.paint(scene);
      const spent = performance.now() - started;
      if (started - begun > WARM_UP) {
        intervals.push(time - before);
        paints.push(spent);
        repainted += name === 'uncached' ? marks.length : painter.repainted;
      }
      before = time;
      frame += 1;
      if (started - begun > WARM_UP + options.seconds * 1000) done();
      else requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
  const at = (values: number[], share: number): number => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? NaN;
  return {
    frames: intervals.length,
    interval_p50: at(intervals, 0.5),
    interval_p95: at(intervals, 0.95),
    interval_p99: at(intervals, 0.99),
    on_time: intervals.filter((interval) => interval < 25).length / Math.max(1, intervals.length),
    paint_p50: at(paints, 0.5),
    paint_p95: at(paints, 0.95),
    paint_max: at(paints, 1),
    repainted: repainted / Math.max(1, intervals.length),
  };
}

/** What every frame cost before anything was kept: all marks are painted anew. */
function paintAll(stage: Stage, scene: Scene): void {
  const { plain, width, height } = stage;
  if (plain.width !== width) [plain.width, plain.height] = [width, height];
  const context = plain.getContext('2d');
  if (context === null) return;
  context.clearRect(0, 0, width, height);
  const size = { width, height };
  for (const mark of scene.marks) paintMark(context, { matrix: scene.matrix, size }, { ...mark, named: false }, false);
}

/** A browser blends the edge of a shape a little differently where it is cut off by a rectangle. */
const SHADES = 40;

/** How many pixels look different between what was repainted in part and what is painted whole. */
export async function differing(count: number, width: number, height: number): Promise<{ differing: number; painted: number; repainted: number[] }> {
  const stage = await setStage(width, height, false);
  const marks = makeMarks(count);
  const painter = new OverlayPainter(stage.below, stage.above);
  const repainted: number[] = [];
  const paint = (scene: Scene): void => {
    painter.paint(scene);
    repainted.push(painter.repainted);
  };
  paint(sceneOf(stage, marks));
  // one goes, one is changed, one is named and measured, some move, one comes
  const without = marks.filter((_, index) => index !== 5);
  paint(sceneOf(stage, without));
  const first = without[0];
  const changed = without.map((one) => (one === first ? { ...one, mark: { ...one.mark, width: 0.012 } } : one));
  paint(sceneOf(stage, changed));
  const measured = { ...sceneOf(stage, changed), measure: (mark: Mark) => (mark.mark === 'm-4' ? '12.4 mm' : null) };
  paint(measured);
  const moved = changed.map((one, index) => (index % 9 === 0 ? { ...one, transform: turned(3), state: index % 18 === 0 ? 'lost' : 'good' } as OverlayMark : one));
  const newcomer = { ...makeMark(1, random(99)), mark: { ...makeMark(1, random(99)).mark, mark: 'new' } };
  const last = { ...measured, marks: [...moved, newcomer] };
  paint(last);
  paint(last);
  const partly = pixels(painter.standing());
  const anew = new OverlayPainter(document.createElement('div'), document.createElement('div'));
  anew.paint(last);
  const wholly = pixels(anew.standing());
  let [different, painted] = [0, 0];
  for (let i = 0; i < wholly.length; i += 4) {
    if ((wholly[i + 3] ?? 0) > 0) painted += 1;
    const shade = (of: Uint8ClampedArray, k: number): number => ((of[i + k] ?? 0) * (k === 3 ? 255 : (of[i + 3] ?? 0))) / 255;
    if ([0, 1, 2, 3].some((k) => Math.abs(shade(wholly, k) - shade(partly, k)) > SHADES)) different += 1;
  }
  return { differing: different, painted, repainted };
}

/**
 * Marks that all follow a swaying picture, laid where they go, held against what is painted line by line:
 * how many pixels of either have none of the other within two pixels, and how many calls it took.
 */
export async function astray(count: number, width: number, height: number): Promise<{ astray: number; painted: number; calls: number[]; sprites: number }> {
  const stage = await setStage(width, height, false);
  const marks = makeMarks(count);
  const painter = new OverlayPainter(stage.below, stage.above);
  const calls: number[] = [];
  let scene = sceneOf(stage, marks);
  for (let step = 0; step < 6; step += 1) {
    scene = sceneOf(stage, marks.map((mark, index) => ({ ...mark, transform: swayed(step, index), state: 'good' })));
    let number = 0;
    do {
      painter.paint(scene);
      number += 1;
    } while (painter.behind && number < 200);
    calls.push(number);
  }
  const size = { width, height };
  [stage.plain.width, stage.plain.height] = [width, height];
  const context = stage.plain.getContext('2d');
  if (context !== null) {
    for (const mark of scene.marks) paintMark(context, { matrix: movedBy(mark, scene.matrix), unit: height, size }, { ...mark, named: false }, false);
  }
  const [one, other] = [pixels(painter.everything()), pixels(stage.plain)];
  let [painted, lost] = [0, 0];
  const near = (of: Uint8ClampedArray, x: number, y: number): boolean => {
    for (let dy = -2; dy <= 2; dy += 1) {
      for (let dx = -2; dx <= 2; dx += 1) if ((of[4 * ((y + dy) * width + x + dx) + 3] ?? 0) > 0) return true;
    }
    return false;
  };
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [a, b] = [one[4 * (y * width + x) + 3] ?? 0, other[4 * (y * width + x) + 3] ?? 0];
      if (a > 0 || b > 0) painted += 1;
      if ((a > 128 && b === 0 && !near(other, x, y)) || (b > 128 && a === 0 && !near(one, x, y))) lost += 1;
    }
  }
  return { astray: lost, painted, calls, sprites: painter.sprites };
}

/** Across an arrow of each colour on a ground: the contrast of its best neighbours, and the colours that were met. */
export function contrasts(grounds: string[]): { ground: string; colour: string; against_ground: number; within: number }[] {
  const size = { width: 400, height: 200 };
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [size.width, size.height];
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) return [];
  return grounds.flatMap((ground) =>
    PALETTE.map((colour) => {
      context.fillStyle = ground;
      context.fillRect(0, 0, size.width, size.height);
      const mark: Mark = { mark: 'm', shape: 'line', anchor: ANCHOR, points: [[0.1, 0.5], [0.9, 0.5]], width: 0.06, text: '' };
      paintMark(context, { matrix: stretch(size.width, size.height), size }, { mark, colour, name: '', named: false }, false);
      // straight down through a place where the dash is painted: the first dot of each pattern lies at its beginning
      const column = context.getImageData(41, 0, 1, size.height).data;
      const lights = Array.from({ length: size.height }, (_, y) => luminance(column[4 * y] ?? 0, column[4 * y + 1] ?? 0, column[4 * y + 2] ?? 0));
      const background = lights[0] ?? 0;
      const line = lights.filter((light) => light !== background);
      const neighbours = line.slice(1).map((light, i) => ratio(light, line[i] ?? light));
      return {
        ground,
        colour,
        against_ground: Math.max(...line.map((light) => ratio(light, background))),
        within: Math.max(ratio(Math.min(...line), Math.max(...line)), ...neighbours),
      };
    }),
  );
}

/** A mark over this ground as the page paints it: RGBA, row by row, in base64. `tests/browser/test_overlay.py` holds films against it. */
export function painted(mark: Mark, colour: string, ground: string, width: number, height: number, stale: boolean): string {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('no canvas');
  context.fillStyle = ground;
  context.fillRect(0, 0, width, height);
  paintMark(context, { matrix: stretch(width, height), size: { width, height } }, { mark, colour, name: '', named: false }, stale);
  const data = pixels(canvas);
  let text = '';
  for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
  return btoa(text);
}

function pixels(canvas: HTMLCanvasElement): Uint8ClampedArray {
  return canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? new Uint8ClampedArray();
}

function luminance(...channels: number[]): number {
  const [r = 0, g = 0, b = 0] = channels.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function ratio(one: number, other: number): number {
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}
