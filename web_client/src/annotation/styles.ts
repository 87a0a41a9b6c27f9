/**
 * How people are told apart on the glass: colour, dash and name. The server gives the colour (signalling/colours.py);
 * the dash follows from it, so that two whose colours look alike to somebody never have the same dash.
 */

/** The server's colours, in their order; `tests/vectors/pens.json` holds both sides to it. */
export const PALETTE: readonly string[] = [
  '#00c3ff', '#ffff00', '#c34bff', '#00ff87', '#78962d', '#ffffff', '#00ffe1', '#e196ff',
  '#78ff00', '#c3ff78', '#1e9696', '#00a500', '#3c96ff', '#1ea569', '#d2b400', '#c3c3ff',
];

export type Dash = 'solid' | 'dashed' | 'dotted' | 'dash_dot' | 'dash_dot_dot';

const DASHES: readonly Dash[] = ['solid', 'dashed', 'dotted', 'dash_dot', 'dash_dot_dot'];
/** By colour: chosen so that of equal dashes the colours stay 30 apart (CIE Lab) to every kind of eye. */
const DASH_OF: readonly number[] = [0, 1, 2, 3, 4, 0, 1, 3, 2, 4, 1, 2, 4, 3, 0, 2];

/** In line widths: on, off, on, off… Round ends make each part one width longer, and each gap as much narrower. */
const PATTERNS: Readonly<Record<Dash, readonly number[]>> = {
  solid: [],
  dashed: [4, 3],
  dotted: [0.6, 2.3],
  dash_dot: [5, 2.4, 0.4, 2.4],
  dash_dot_dot: [5, 2.3, 0.4, 2.3, 0.4, 2.3],
};

/** The dash of a participant's colour; who has none of the sixteen draws solid lines. */
export function dashOf(colour: string): Dash {
  const index = PALETTE.indexOf(colour.toLowerCase());
  return DASHES[DASH_OF[index] ?? 0] ?? 'solid';
}

/** The pattern in pixels for a line of this width. */
export function patternOf(dash: Dash, width: number): number[] {
  return PATTERNS[dash].map((part) => part * width);
}

/** Line widths on offer, fractions of the frame's height: 3, 6 and 11 px at 1080. */
export const LINE_WIDTHS: readonly number[] = [0.003, 0.006, 0.0105];
/** Of the frame's height: 4 px on a laptop, 13 at 4K. */
export const LINE_WIDTH = 0.006;

/** White round dark round colour: of a line this wide, the widths of all three. */
export function strata(width: number): { halo: number; core: number; colour: number } {
  const core = width * 1.15 + Math.max(1.6, width * 0.25);
  return { halo: core + Math.max(2.2, width * 0.5), core, colour: Math.max(1, width * 0.85) };
}

/** Marks of a picture that does not move: their colour would claim to know where the tissue is. */
export const STALE = '#9aa3ad';
export const HALO = '#ffffff';
export const CORE = '#05090d';
