import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Camera, Description, RecordedOperation, RoomEvent } from '../src/replay/description';
import { Facts } from '../src/replay/facts';
import { Timeline, mediaTime, rtpTimestampAt } from '../src/replay/timeline';
import type { Mark, Track } from '../src/signalling/marks';
import type { Operation } from '../src/signalling/protocol';
import type { ReplayOverlay as Overlay } from '../src/ui/replay_overlay';
import { mark } from './fakes/marks';

const FIRST = 4_294_900_000;
const HOUR = 3600;
const HD = { width: 1920, height: 1080 };

const camera: Camera = {
  producer: 7, participant: 'pt-s', source: 'field', label: 'Operating field', codec: 'H264', type: 'video/mp4',
  offset: 0, seconds: 13 * HOUR, first_rtp_timestamp: FIRST, clock_rate: 90_000, ...HD, audio: null,
};
/** The frame on the glass at a position. */
const frame = (position: number): number => rtpTimestampAt(camera, position);

let ReplayOverlay: typeof Overlay;
beforeAll(async () => {
  vi.stubGlobal('localStorage', { getItem: () => 'en', setItem: () => undefined });
  vi.stubGlobal('document', { documentElement: {} });
  ({ ReplayOverlay } = await import('../src/ui/replay_overlay'));
});

class Recording {
  #operations: RecordedOperation[] = [];
  readonly events: RoomEvent[] = [];

  at(at: number, operation: Operation, author = 'pt-a'): this {
    this.#operations.push({ sequence: this.#operations.length + 1, at, author, name: author, colour: '#fff', operation });
    return this;
  }

  get description(): Description {
    return {
      recording: 'r', room: 'demo', started: 1_795_305_600_000, seconds: 13 * HOUR, state: 'complete',
      participants: [{ participant: 'pt-a', name: 'Dr. Li', role: 'expert', colour: '#4cc2ff' }],
      cameras: [camera], operations: this.#operations, pointers: [], events: this.events, gaps: [],
    };
  }

  overlay(): Overlay {
    return new ReplayOverlay(new Timeline(this.description), this.description);
  }
}

function drawn(position: number, fields: Partial<Mark> = {}): Mark {
  return mark('m-1', { anchor: { producer: 7, rtp_timestamp: frame(position) }, ...fields });
}
function track(position: number, state: Track['state']): Operation {
  const one: Track = { mark: 'm-1', state, matrix: [1, 0, 0, 1, 0.1, 0], confidence: 0.9 };
  return { kind: 'track', tracks: [one], anchor: { producer: 7, rtp_timestamp: frame(position) } };
}
function shown(overlay: Overlay, position: number): { outdated: boolean | undefined; state: string | undefined } {
  overlay.show(position);
  const [one] = overlay.marks(7);
  return { outdated: one?.outdated, state: one?.state };
}

describe('in a recording of thirteen hours', () => {
  it('each mark appears with its frame', () => {
    for (let hour = 0; hour <= 12; hour += 1) {
      const position = hour * HOUR + 2;
      const timeline = new Timeline(new Recording().at(position + 3, { kind: 'add', mark: drawn(position) }).description);
      expect(mediaTime(camera, frame(position), position), `${hour} h`).toBeCloseTo(position, 3);
      expect(timeline.marksAt(position - 0.01)).toEqual([]);
      expect(timeline.marksAt(position)).toHaveLength(1);
    }
  });

  it('a mark on a still stands at its frame though it was drawn hours later', () => {
    const still = { producer: 7, rtp_timestamp: frame(60), width: 1920, height: 1080, sm3: '', taken_by: 'pt-a', for_all: true, label: '' };
    const on = drawn(60, { anchor: { producer: 7, rtp_timestamp: frame(60), still: true } });
    const timeline = new Timeline(new Recording().at(61, { kind: 'still', still }).at(9 * HOUR, { kind: 'add', mark: on }).description);
    const [visible] = timeline.marksAt(9 * HOUR);
    expect(visible !== undefined && timeline.isAtStill(visible, 7, 60)).toBe(true);
  });

  it('a mark from before an interruption stays outdated', () => {
    for (let hour = 1; hour <= 12; hour += 1) {
      const recording = new Recording().at(5, { kind: 'add', mark: drawn(4) });
      recording.events.push({ at: hour * HOUR, kind: 'producer_resumed', producer: 7, since: frame(hour * HOUR - 1) });
      expect(shown(recording.overlay(), hour * HOUR - 1).outdated, `${hour} h`).toBe(false);
      expect(shown(recording.overlay(), hour * HOUR + 1).outdated, `${hour} h`).toBe(true);
    }
  });
});

describe('the replay says of a mark what a page that was there had said', () => {
  it('that follows and was never looked at', () => {
    const overlay = new Recording().at(5, { kind: 'add', mark: drawn(4.9, { follow: true }) }).overlay();
    expect([5.1, 5.3, 500].map((position) => shown(overlay, position).state)).toEqual(['good', 'stale', 'stale']);
  });

  it('that follows and of which nothing was told any more', () => {
    const overlay = new Recording().at(5, { kind: 'add', mark: drawn(4.9, { follow: true }) }).at(5.1, track(5.1, 'good')).overlay();
    expect([5.2, 5.59, 5.7].map((position) => shown(overlay, position).state)).toEqual(['good', 'good', 'stale']);
  });

  it('that was stale and is restyled, then moved, then looked at', () => {
    for (const follow of [true, false]) {
      const first = drawn(4.9, { follow });
      const overlay = new Recording()
        .at(5, { kind: 'add', mark: first })
        .at(6, track(6, 'stale'))
        .at(7, { kind: 'edit', mark: { ...first, width: 0.02 } })
        .at(8, { kind: 'edit', mark: { ...first, width: 0.02, points: first.points.map(([x, y]) => [x, y / 2]) } })
        .at(9, track(9, 'good'))
        .overlay();
      expect([6.5, 7.5, 8.5, 9.2].map((position) => shown(overlay, position).state)).toEqual(['stale', 'stale', 'pending', 'good']);
    }
  });

  it('how long it is, by the calibration that held for its frame', () => {
    const length = drawn(10, { shape: 'length', points: [[0.1, 0.5], [0.3, 0.5]] });
    const calibrate = (position: number, millimetres: number): Operation => ({
      kind: 'calibrate', anchor: { producer: 7, rtp_timestamp: frame(position) }, points: [[0, 0.5], [0.1, 0.5]], millimetres,
    });
    const recording = new Recording().at(9, calibrate(8.5, 10)).at(11, { kind: 'add', mark: length }).at(20, calibrate(19.5, 40));
    const overlay = recording.overlay();
    const said = (position: number): string | null => (overlay.show(position), overlay.sayLength(length, HD));
    expect(said(12)).toBe('20.0 mm');
    // made at another zoom: it says nothing about a frame before it
    expect(said(21)).toContain('384');
    recording.events.push({ at: 15, kind: 'producer_resumed', producer: 7, since: frame(14) });
    const interrupted = recording.overlay();
    interrupted.show(16);
    expect(interrupted.sayLength(length, HD)).toContain('384');
  });
});

describe('what was said of the pictures and the patient', () => {
  it('is said again when it was said', () => {
    const recording = new Recording();
    const orientation = { row: 'L', column: 'F', mirrored: true } as const;
    recording.events.push(
      { at: 0, kind: 'patient_chosen', patient: null },
      { at: 3, kind: 'orient', producer: 7, orientation },
      { at: 4, kind: 'patient_chosen', patient: 'p-1' },
      { at: 5, kind: 'orient', producer: 8, orientation: null },
      { at: 6, kind: 'orient', producer: 7, orientation: null },
      { at: 7, kind: 'patient_chosen', patient: 'p-2' },
      { at: 8, kind: 'patient_chosen', patient: 'p-1' },
      { at: 9, kind: 'patient_chosen', patient: null },
    );
    const facts = new Facts(recording.description);
    expect([2, 3, 5.5, 6].map((position) => facts.orientationAt(7, position))).toEqual([null, orientation, orientation, null]);
    expect([1, 4, 7.5, 8, 9].map((position) => facts.patientAt(position)?.letter ?? null)).toEqual([null, 'A', 'B', 'A', null]);
  });
});
