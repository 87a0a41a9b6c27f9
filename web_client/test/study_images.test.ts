import { describe, expect, it } from 'vitest';
import { EMPTY, UPRIGHT, type PaneState, type ViewportState } from '../src/dicom/viewport';
import type { Description, RoomEvent } from '../src/replay/description';
import { ImagesThen, readViewport } from '../src/replay/study_images';

const pane = (slice: number, fields: Partial<PaneState> = {}): PaneState => ({
  ...UPRIGHT, study: '2.25.1', series: '2.25.2', instance: `2.25.3.${slice}`, frame: 1, plane: 'stack', slice, slab: null, window: [40, 400], invert: false, playing: false, rate: 15, ...fields,
});
const view = (...panes: (PaneState | null)[]): ViewportState => ({ ...EMPTY, layout: panes.length === 1 ? '1x1' : '1x2', panes });
const seen = (at: number, participant: string, state: unknown): RoomEvent => ({ at, kind: 'viewport', participant, state });
const leads = (at: number, participant: string | null): RoomEvent => ({ at, kind: 'presenter', participant: participant as never });

function images(...events: RoomEvent[]): ImagesThen {
  return new ImagesThen({ events } as unknown as Description);
}

describe('what was shown of the images', () => {
  const told = images(
    leads(5, 'pt-a'), seen(5.2, 'pt-a', view(pane(3))), seen(6, 'pt-a', view(pane(4), null)), seen(7, 'pt-b', view(pane(9))),
    { at: 5.1, kind: 'images_shown', participant: 'pt-a', series: '2.25.2', modality: 'CT', number: 2, images: 120 },
    leads(8, 'pt-b'), seen(8.5, 'pt-b', view(pane(7, { plane: 'axial' }))), seen(9, 'pt-b', view(null)), leads(10, null), seen(11, 'pt-b', view(pane(1))),
  );
  const slices = (position: number): (number | undefined)[] | null => told.at(position)?.state.panes.map((one) => one?.slice) ?? null;

  it('is what the presenter of the moment saw, and nothing of anybody else', () => {
    expect([5.1, 5.2, 5.9, 6, 7.5, 8, 8.5, 9, 11].map(slices)).toEqual([null, [3], [3], [4, undefined], [4, undefined], null, [7], null, null]);
    expect([told.at(7.5)?.presenter, told.at(8.6)?.presenter, told.any]).toEqual(['pt-a', 'pt-b', true]);
    expect([images().any, images(leads(1, 'pt-a'), seen(2, 'pt-a', view(null))).any, images().at(3)]).toEqual([false, false, null]);
  });
  it('is the same object as long as it is the same', () => {
    expect(told.at(6)).toBe(told.at(7.9));
  });
  it('is told of by the recording itself, should it be gone', () => {
    expect([told.said('2.25.2'), told.said('2.25.9')]).toEqual([{ modality: 'CT', number: 2, images: 120 }, null]);
  });
});

describe('a viewport that a recording bears', () => {
  it('is read as it was sent, but no film runs by itself', () => {
    const state = view(pane(3, { slab: { mode: 'max', mm: 10 }, zoom: 2.5, rotation: 90, flip: true, playing: true }));
    expect(readViewport(JSON.parse(JSON.stringify(state)))).toEqual({ ...state, panes: [{ ...state.panes[0], playing: false }] });
  });
  it.each<[string, unknown]>([
    ['nothing', null], ['a word', 'x'], ['another layout', { ...view(pane(1)), layout: '9x9' }], ['too few panes', { ...view(pane(1)), layout: '2x2' }],
    ['no panes', { layout: '1x1' }], ['a path for a name', view(pane(1, { series: '../../x' }))], ['a name that is none', view(pane(1, { study: 7 as never }))],
    ['half a frame', view(pane(1, { frame: 0.5 }))], ['no such plane', view(pane(1, { plane: 'oblique' as never }))], ['a place before the first', view(pane(-1))],
  ])('is none where it is %s', (_, state) => expect(readViewport(state)).toBe(null));
  it('has its own figures where they are none', () => {
    const wrong = { window: [40, 0], zoom: -1, rotation: NaN, centre: ['a', 1], slab: { mode: 'min', mm: 3 }, rate: Infinity } as never;
    expect(readViewport(view(pane(1, wrong)))?.panes[0]).toEqual(pane(1, { window: null }));
    expect(readViewport({ ...view(pane(1)), active: 7, board: 'x', lines: 1 })).toMatchObject({ active: 0, board: 1, lines: false });
  });
});
