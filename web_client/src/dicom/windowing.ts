/** From stored values to grey: presets, and what a window makes of values (PS3.3, C.11.2). */
import type { Window } from './viewport';

export type WindowFunction = 'LINEAR' | 'LINEAR_EXACT' | 'SIGMOID';

export interface Preset {
  /** A key of the catalogue behind `window_`, or null: `label` is the file's own words. */
  name: 'file' | 'brain' | 'subdural' | 'stroke' | 'lung' | 'mediastinum' | 'abdomen' | 'liver' | 'bone' | 'angio' | 'full' | null;
  label: string;
  window: Window;
}

/** The ones that every reader of a CT knows, HU. */
const CT: readonly Preset[] = (
  [
    ['brain', 40, 80],
    ['subdural', 75, 215],
    ['stroke', 40, 40],
    ['lung', -600, 1500],
    ['mediastinum', 50, 350],
    ['abdomen', 50, 400],
    ['liver', 60, 160],
    ['bone', 400, 1800],
    ['angio', 300, 600],
  ] as const
).map(([name, centre, width]) => ({ name, label: '', window: [centre, width] }));

export function presetsFor(modality: string, file: readonly Preset[], full: Window | null): Preset[] {
  const presets = [...file, ...(modality === 'CT' ? CT : [])];
  return full === null ? presets : [...presets, { name: 'full', label: '', window: full }];
}

/** The window that shows everything between two values. */
export function windowOver(minimum: number, maximum: number): Window {
  return [(minimum + maximum + 1) / 2, Math.max(1, maximum - minimum + 1)];
}

/** Grey from 0 to 255, not rounded, of a value with the rescale applied. */
export function grey(value: number, [centre, width]: Window, kind: WindowFunction): number {
  if (kind === 'SIGMOID') return 255 / (1 + Math.exp((-4 * (value - centre)) / width));
  if (kind === 'LINEAR_EXACT') {
    if (value <= centre - width / 2) return 0;
    return value > centre + width / 2 ? 255 : ((value - centre) / width + 0.5) * 255;
  }
  const [middle, span] = [centre - 0.5, width - 1];
  if (value <= middle - span / 2) return 0;
  if (value > middle + span / 2) return 255;
  return ((value - middle) / span + 0.5) * 255;
}

/** Where a hand goes: across the width changes, up and down the centre; a fast hand goes as far as the range is wide. */
export function dragged([centre, width]: Window, dx: number, dy: number, range: number): Window {
  const step = Math.max(range, 1) / 1000;
  return [round(centre + dy * step), round(Math.max(Math.min(1, width), width + dx * step))];
}

/**
 * A window a step of the keyboard further: `across` is of the width, `down` of the centre. A step is a share of the width, since
 * that is what the eye sees of it; it has one figure, so that the numbers stay round.
 */
export function stepped([centre, width]: Window, across: number, down: number, coarse: boolean): Window {
  const step = roundStep(width * (coarse ? COARSE_STEP : FINE_STEP));
  const tidy = (value: number): number => Number(value.toPrecision(9));
  return [tidy(centre + down * step), tidy(width >= 1 ? Math.max(1, width + across * step) : width + across * step)];
}

/** Shares of a window's width. */
const FINE_STEP = 0.025;
const COARSE_STEP = 0.2;

/** The nearest value that has one figure. */
function roundStep(value: number): number {
  return Number(value.toPrecision(1));
}

function round(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 100) / 100;
}
