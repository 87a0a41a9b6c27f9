/**
 * What is seen of the room's images, as it is told to the others (PROTOCOL.md §11): named by room UIDs and in fractions of
 * the image, so that it means the same on every screen.
 */
import type { Point } from '../signalling/protocol';

export type Layout = '1x1' | '1x2' | '2x2';
export type Plane = 'stack' | 'axial' | 'coronal' | 'sagittal';

export const LAYOUTS: Readonly<Record<Layout, { rows: number; columns: number }>> = {
  '1x1': { rows: 1, columns: 1 },
  '1x2': { rows: 1, columns: 2 },
  '2x2': { rows: 2, columns: 2 },
};

/** Centre and width. */
export type Window = [centre: number, width: number];

/** A cut that is thicker than its pixels: the mean or the greatest value through so many millimetres. */
export interface Slab {
  mode: 'mean' | 'max';
  mm: number;
}

/** How an image is laid into a pane: everything but which image it is. */
export interface View {
  /** The point of the image in the middle of the pane, fractions. */
  centre: Point;
  /** 1: the whole image fits. */
  zoom: number;
  /** Degrees clockwise. */
  rotation: number;
  /** Left and right are exchanged, after the rotation. */
  flip: boolean;
}

export interface PaneState extends View {
  study: string;
  series: string;
  instance: string;
  /** From 1. */
  frame: number;
  plane: Plane;
  /** The place in the stack, or the number of the cut. */
  slice: number;
  /** Of a cut; null: as thin as its pixels. */
  slab: Slab | null;
  /** Null: as the file says. */
  window: Window | null;
  invert: boolean;
  playing: boolean;
  /** Frames a second of a film. */
  rate: number;
}

export interface ViewportState {
  layout: Layout;
  /** The pane that keys act on. */
  active: number;
  /** Whether the cuts of the other panes are drawn. */
  lines: boolean;
  panes: (PaneState | null)[];
  /** The page of the whiteboard that is looked at. */
  board: number;
}

export const UPRIGHT: View = { centre: [0.5, 0.5], zoom: 1, rotation: 0, flip: false };

export function panesOf(layout: Layout): number {
  return LAYOUTS[layout].rows * LAYOUTS[layout].columns;
}

export const EMPTY: ViewportState = { layout: '1x1', active: 0, lines: true, panes: [null], board: 1 };

/** The same in another layout: what stands in the first panes stays. */
export function withLayout(state: ViewportState, layout: Layout): ViewportState {
  const count = panesOf(layout);
  // the active pane is kept, whatever its place
  const kept = state.active < count ? state.panes : [state.panes[state.active] ?? null, ...state.panes.filter((_, at) => at !== state.active)];
  const panes = Array.from({ length: count }, (_, at) => kept[at] ?? null);
  return { ...state, layout, panes, active: state.active < count ? state.active : 0 };
}

/** The same with one pane changed. */
export function withPane(state: ViewportState, at: number, change: Partial<PaneState>): ViewportState {
  const pane = state.panes[at];
  if (pane === null || pane === undefined) return state;
  return { ...state, panes: state.panes.map((other, index) => (index === at ? { ...pane, ...change } : other)) };
}

export function sameState(one: ViewportState, other: ViewportState): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
