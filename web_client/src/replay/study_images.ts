/** What was shown of the room's images at each moment of a recording, and by whom; which of it is still there. */
import { panesOf, UPRIGHT, type Layout, type PaneState, type ViewportState } from '../dicom/viewport';
import type { ParticipantId } from '../signalling/protocol';
import type { Description } from './description';

/** What is written at one moment may stand a little apart. */
const ROUNDING_S = 0.001;

/** What a recording says of a series: its images may be gone. */
export interface SeriesSaid {
  modality: string;
  number: number;
  images: number;
}

export interface ShownThen {
  presenter: ParticipantId;
  state: ViewportState;
}

/** What stands in a recording is held against what a viewport can be; null: it is none. */
export function readViewport(value: unknown): ViewportState | null {
  if (typeof value !== 'object' || value === null) return null;
  const { layout, active, lines, panes, board } = value as Partial<ViewportState>;
  if (layout !== '1x1' && layout !== '1x2' && layout !== '2x2') return null;
  if (!Array.isArray(panes) || panes.length !== panesOf(layout as Layout)) return null;
  const read = panes.map((pane) => (pane === null ? null : readPane(pane)));
  if (read.some((pane, at) => pane === null && panes[at] !== null)) return null;
  return {
    layout,
    active: Number.isInteger(active) && (active ?? 0) >= 0 && (active ?? 0) < panes.length ? (active as number) : 0,
    lines: lines === true,
    panes: read,
    board: Number.isInteger(board) ? (board as number) : 1,
  };
}

const UID = /^[\d.]{1,64}$/;

function isFigure(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= 1e6;
}

function readPane(pane: Partial<PaneState>): PaneState | null {
  const { study, series, instance, frame, plane, slice, slab, window, centre, zoom, rotation, rate } = pane;
  for (const uid of [study, series, instance]) if (typeof uid !== 'string' || !UID.test(uid)) return null;
  if (plane !== 'stack' && plane !== 'axial' && plane !== 'coronal' && plane !== 'sagittal') return null;
  if (!Number.isInteger(frame) || (frame ?? 0) < 1 || !Number.isInteger(slice) || (slice ?? -1) < 0) return null;
  const names = { study, series, instance, frame, plane, slice } as Pick<PaneState, 'study' | 'series' | 'instance' | 'frame' | 'plane' | 'slice'>;
  return {
    ...names,
    slab: slab != null && (slab.mode === 'mean' || slab.mode === 'max') && isFigure(slab.mm) && slab.mm > 0 ? { mode: slab.mode, mm: slab.mm } : null,
    window: Array.isArray(window) && window.length === 2 && window.every(isFigure) && window[1] > 0 ? [window[0], window[1]] : null,
    invert: pane.invert === true,
    centre: Array.isArray(centre) && centre.length === 2 && centre.every(isFigure) ? [centre[0], centre[1]] : UPRIGHT.centre,
    zoom: isFigure(zoom) && zoom > 0 ? zoom : UPRIGHT.zoom,
    rotation: isFigure(rotation) ? rotation : UPRIGHT.rotation,
    flip: pane.flip === true,
    // a film stands where it stood: each of its frames was written down
    playing: false,
    rate: isFigure(rate) && rate > 0 ? rate : 15,
  };
}

export class ImagesThen {
  readonly #shown: { at: number; then: ShownThen | null }[] = [];
  readonly #series = new Map<string, SeriesSaid>();

  constructor({ events }: Description) {
    let presenter: ParticipantId | null = null;
    for (const event of [...events].sort((a, b) => a.at - b.at)) {
      const { at, kind, participant } = event;
      if (kind === 'presenter') {
        presenter = participant ?? null;
        // who takes over shows nothing yet
        this.#shown.push({ at, then: null });
      } else if (kind === 'viewport' && presenter !== null && participant === presenter) {
        const state = readViewport(event.state);
        if (state !== null) this.#shown.push({ at, then: state.panes.some((pane) => pane !== null) ? { presenter, state } : null });
      } else if (kind === 'images_shown' && event.series !== undefined) {
        this.#series.set(event.series, { modality: event.modality ?? '', number: event.number ?? 0, images: event.images ?? 0 });
      }
    }
  }

  /** Whether anything was ever shown. */
  get any(): boolean {
    return this.#shown.some(({ then }) => then !== null);
  }

  /** What was shown at a position; null: nothing. The same object as long as it is the same. */
  at(position: number): ShownThen | null {
    let [low, high] = [0, this.#shown.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#shown[middle]?.at ?? Infinity) <= position + ROUNDING_S) low = middle + 1;
      else high = middle;
    }
    return this.#shown[low - 1]?.then ?? null;
  }

  /** What the recording says of a series; null: nothing. */
  said(series: string): SeriesSaid | null {
    return this.#series.get(series) ?? null;
  }
}
