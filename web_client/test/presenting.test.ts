import { describe, expect, it } from 'vitest';
import { Presenting, SEND_EVERY_MS, type PresentingAnnouncement } from '../src/dicom/presenting';
import { EMPTY, withLayout, withPane, type PaneState, type ViewportState } from '../src/dicom/viewport';
import type { Request, ViewportMessage, Welcome } from '../src/signalling/protocol';
import { FakeTimers } from './fakes/timers';

const PANE: PaneState = {
  study: '2.25.1', series: '2.25.2', instance: '2.25.3', frame: 1, plane: 'stack', slice: 0, slab: null,
  window: [40, 400], invert: false, centre: [0.5, 0.5], zoom: 1, rotation: 0, flip: false, playing: false, rate: 25,
};
const state = (zoom: number): ViewportState => ({ ...EMPTY, panes: [{ ...PANE, zoom }] });

function make(self = 'pt-me'): {
  presenting: Presenting; timers: FakeTimers; told: Omit<ViewportMessage, 'sent'>[]; asked: Request[];
  shown: ViewportState[]; said: PresentingAnnouncement[];
} {
  const timers = new FakeTimers();
  const told: Omit<ViewportMessage, 'sent'>[] = [];
  const asked: Request[] = [];
  const shown: ViewportState[] = [];
  const said: PresentingAnnouncement[] = [];
  const presenting = new Presenting(timers, (request) => Promise.resolve(asked.push(request) > 0), (message) => told.push(message));
  presenting.on('state', (one) => shown.push(one));
  presenting.on('announcement', (one) => said.push(one));
  presenting.handleWelcome(welcome(self, null));
  return { presenting, timers, told, asked, shown, said };
}

function welcome(self: string, participant: string | null, viewport: Welcome['presenter']['viewport'] = null): Welcome {
  return { self, presenter: { participant, asking: [], viewport } } as unknown as Welcome;
}

describe('presenting', () => {
  it('tells nobody anything while nobody presents', () => {
    const { presenting, told } = make();
    presenting.change(state(2));
    expect([presenting.role, told.length, presenting.state]).toEqual(['alone', 0, state(2)]);
  });

  it('tells at once what is seen as it begins, then each change, and the last for certain', () => {
    const { presenting, timers, told } = make();
    presenting.change(state(2));
    presenting.handlePresenter({ type: 'presenter', participant: 'pt-me', asking: [] });
    expect(told.map(({ n, state: { panes } }) => [n, panes[0]?.zoom])).toEqual([[1, 2]]);
    for (const zoom of [3, 4, 5]) presenting.change(state(zoom));
    expect(told.length).toBe(1);
    timers.advance(SEND_EVERY_MS);
    expect(told.map(({ n, state: { panes } }) => [n, panes[0]?.zoom])).toEqual([[1, 2], [2, 5]]);
    timers.advance(1000);
    presenting.change(state(5));
    expect(told.length).toBe(2);
  });

  it('follows, looks away by one\'s own hand, and comes back to what is shown now', () => {
    const { presenting, shown } = make();
    presenting.handlePresenter({ type: 'presenter', participant: 'pt-a', asking: [] });
    presenting.handleViewport({ type: 'viewport', author: 'pt-a', n: 1, sent: 0, state: state(2) });
    expect([presenting.role, shown.length]).toEqual(['following', 1]);
    presenting.change(state(7));
    expect(presenting.role).toBe('looking_away');
    presenting.handleViewport({ type: 'viewport', author: 'pt-a', n: 2, sent: 0, state: state(3) });
    expect(presenting.state).toEqual(state(7));
    presenting.comeBack();
    expect([presenting.role, presenting.state]).toEqual(['following', state(3)]);
  });

  it('leads the others to a page of the whiteboard, who come later too, and back from where they looked', () => {
    const leader = make();
    leader.presenting.handlePresenter({ type: 'presenter', participant: 'pt-me', asking: [] });
    leader.timers.advance(SEND_EVERY_MS);
    leader.presenting.change({ ...leader.presenting.state, board: 7 });
    const seen = leader.told.at(-1)!.state;
    expect(seen.board).toBe(7);

    const late = make();
    late.presenting.handleWelcome(welcome('pt-late', 'pt-a', { n: 1, sent: 0, state: seen }));
    expect([late.presenting.role, late.shown.at(-1)?.board]).toEqual(['following', 7]);
    late.presenting.change({ ...late.presenting.state, board: 2 });
    late.presenting.handleViewport({ type: 'viewport', author: 'pt-a', n: 2, sent: 0, state: { ...seen, board: 8 } });
    expect([late.presenting.role, late.presenting.state.board]).toEqual(['looking_away', 2]);
    late.presenting.comeBack();
    expect(late.presenting.state.board).toBe(8);
  });

  it('takes nothing that is older, or from anybody else', () => {
    const { presenting, shown } = make();
    presenting.handlePresenter({ type: 'presenter', participant: 'pt-a', asking: [] });
    presenting.handleViewport({ type: 'viewport', author: 'pt-a', n: 5, sent: 0, state: state(2) });
    presenting.handleViewport({ type: 'viewport', author: 'pt-a', n: 4, sent: 0, state: state(3) });
    presenting.handleViewport({ type: 'viewport', author: 'pt-b', n: 9, sent: 0, state: state(4) });
    expect(shown).toEqual([state(2)]);
    // a new presenter counts anew, and is followed again by who looked away
    presenting.lookAway();
    presenting.handlePresenter({ type: 'presenter', participant: 'pt-b', asking: [] });
    presenting.handleViewport({ type: 'viewport', author: 'pt-b', n: 1, sent: 0, state: state(4) });
    expect([presenting.role, presenting.state]).toEqual(['following', state(4)]);
  });

  it('brings a late comer to the right image', () => {
    const { presenting, shown } = make();
    presenting.handleWelcome(welcome('pt-late', 'pt-a', { n: 41, sent: 0, state: state(6) }));
    expect([presenting.role, shown]).toEqual(['following', [state(6)]]);
    presenting.handleViewport({ type: 'viewport', author: 'pt-a', n: 41, sent: 0, state: state(1) });
    expect(presenting.state).toEqual(state(6));
  });

  it('tells again what was seen when the line comes back', () => {
    const { presenting, told, timers } = make();
    presenting.handlePresenter({ type: 'presenter', participant: 'pt-me', asking: [] });
    presenting.change(state(2));
    timers.advance(100);
    presenting.handleWelcome(welcome('pt-me', 'pt-me', { n: 1, sent: 0, state: state(1) }));
    expect(told.at(-1)?.state).toEqual(state(2));
    expect(presenting.state).toEqual(state(2));
  });

  it('says what happens, and asks the server', async () => {
    const { presenting, asked, said } = make();
    await presenting.start();
    await presenting.askToPresent();
    await presenting.give('pt-b');
    await presenting.stop();
    expect(asked.map((request) => (request as { action: string }).action)).toEqual(['start', 'ask', 'give', 'stop']);
    presenting.handlePresenter({ type: 'presenter', participant: 'pt-me', asking: [] });
    presenting.handlePresenter({ type: 'presenter', participant: 'pt-me', asking: ['pt-b'] });
    presenting.handlePresenter({ type: 'presenter', participant: 'pt-b', asking: [] });
    presenting.handlePresenter({ type: 'presenter', participant: null, asking: [] });
    expect(said.map(({ kind }) => kind)).toEqual(['presenting_yours', 'presenting_asked', 'presenting_began', 'presenting_ended']);
  });
});

describe('a layout', () => {
  it('keeps what stands in the panes, the active one first where it would be lost', () => {
    const four = withLayout(state(2), '2x2');
    expect(four.panes).toEqual([{ ...PANE, zoom: 2 }, null, null, null]);
    const last = { ...four, active: 3, panes: [...four.panes.slice(0, 3), { ...PANE, zoom: 9 }] };
    expect(withLayout(last, '1x1')).toMatchObject({ active: 0, panes: [{ zoom: 9 }] });
    expect(withPane(four, 1, { zoom: 3 })).toBe(four);
    expect(withPane(four, 0, { zoom: 3 }).panes[0]?.zoom).toBe(3);
  });
});
