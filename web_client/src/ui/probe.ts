/**
 * `window.konsil`: what a test (or a curious engineer) may read of the page. Read-only; nothing can be done by it.
 *
 *   state                  'joining' | 'waiting' | 'connected' | 'reconnecting' | 'closed'
 *   place                  at the door: {room, place, attended}; null: one is not there
 *   self, room             the participant's identity and the room's name, null before the welcome
 *   participants, producers, recording, permissions, door, speaker   as the server said
 *   frames                 by producer: {rtpTimestamp, frames, age, source, browserKnows, frozen, width, height}; age in ms
 *                          or null; browserKnows: the browser itself says when the frame was captured
 *   deliveries             by producer that one is not sent at its best: {reason, height}
 *   layers()               what one sends: {source, rid, active, frameHeight, framesSent} of each encoding, from getStats
 *   ownFrames              the newest frames of one's own field: {captured, name: {rtpTimestamp, exact} or null}
 *   marks                  visible marks: {mark, anchor, author, sequence, shape, points, text, width, number, pressures};
 *                          sequence null: not yet confirmed
 *   instructions           what was asked of the surgeon: {instruction, text, mark, author, state, sent, seenAfter, closedAfter, …}
 *   stills                 frozen frames: {all, open, fromServer}; open: the key of the one beside the live picture
 *   marksDrawnOn(sheet)    what that picture's overlay drew last: {mark, rtp_timestamp, stale, outdated, measured}
 *   pointersOn(sheet)      whose laser pointers and hovering pens are over it: {name, ghost}
 *   calibrations           producers whose pictures are calibrated
 *   images                 what each pane of the image viewer shows: {instance, frame, at, count, plane, matrix, window, loaded, drawnAt}
 *   presenter              who leads the others through the images
 *   studies                the room's images, as the server said
 *   digest()               the hash of what the log shows (PROTOCOL.md, section 4): equal at the server, on all pages and in replay
 *   unsent                 what one has drawn and written and the server has not taken: {marks, messages}
 *   roundTrip, receiving, publishing
 *   path                   'steady' | 'restarting' | 'rejoining': whether the media connections look for a new way
 */
import type { Sheet } from '../annotation/sheet';
import type { Live } from './live.svelte';
import { shownImages } from './dicom/shown_images';
import { drawn, type DrawnMark } from './overlay_source';

export interface KonsilProbe {
  readonly [key: string]: unknown;
  marksDrawnOn(sheet: Sheet): DrawnMark[];
}

declare global {
  interface Window {
    konsil?: KonsilProbe;
  }
}

export function publishProbe(probe: KonsilProbe): void {
  Object.defineProperty(window, 'konsil', { value: Object.freeze(probe), configurable: true, writable: false });
}

export function liveProbe(live: Live): KonsilProbe {
  const { session } = live;
  const copy = <Value>(value: Value): Value => structuredClone(value);
  return {
    get state() {
      const { state } = session.connection;
      return state === 'connecting' ? 'joining' : state;
    },
    get self() {
      return session.room.self;
    },
    get room() {
      return session.room.self === null ? null : session.room.name;
    },
    get participants() {
      return copy([...session.room.participants.values()]);
    },
    get producers() {
      return copy([...session.room.producers.values()]);
    },
    get recording() {
      return copy(session.room.recording);
    },
    get place() {
      return copy(live.place);
    },
    get door() {
      return copy(session.room.door);
    },
    get images() {
      return copy(Object.fromEntries(shownImages));
    },
    get presenter() {
      return session.presenting.presenter;
    },
    get studies() {
      return copy(session.catalogue.studies);
    },
    get speaker() {
      return session.room.speaker;
    },
    get permissions() {
      return [...session.room.permissions];
    },
    get frames() {
      const now = performance.now();
      const pictures = [...session.room.producers.values()].filter((producer) => producer.kind === 'video');
      return Object.fromEntries(
        pictures.map(({ producer }) => {
          const clock = session.frames(producer);
          const age = clock.age(now);
          return [
            producer,
            {
              rtpTimestamp: clock.named?.rtpTimestamp ?? null,
              frames: clock.frames,
              age: age?.milliseconds ?? null,
              source: age?.source ?? null,
              browserKnows: clock.browserKnows,
              frozen: clock.frozenFor(now) > 0,
              width: clock.latest?.width ?? 0,
              height: clock.latest?.height ?? 0,
            },
          ];
        }),
      );
    },
    get deliveries() {
      return Object.fromEntries([...session.deliveries].map(([producer, { reason, height }]) => [producer, { reason, height }]));
    },
    get ownFrames() {
      return copy(session.publisher.fieldFrames.settled);
    },
    layers: () => session.publisher.layers(),
    get marks() {
      return session.replica.visible.map(({ mark, author, sequence }) => ({
        mark: mark.mark,
        anchor: copy(mark.anchor),
        author,
        sequence,
        shape: mark.shape,
        points: copy(mark.points),
        text: mark.text,
        width: mark.width,
        number: mark.number ?? null,
        pressures: copy(mark.pressures ?? null),
      }));
    },
    get calibrations() {
      return [...session.replica.calibrations.keys()];
    },
    get stills() {
      return { all: copy(session.stills.all), open: live.stills.open, fromServer: [...live.stills.pictures].filter(([, { address }]) => address !== null).map(([key]) => key) };
    },
    get instructions() {
      return copy(session.guidance.instructions);
    },
    get roundTrip() {
      return session.clock.roundTrip;
    },
    get receiving() {
      return live.receiving;
    },
    get publishing() {
      return live.publishing;
    },
    get path() {
      return live.path;
    },
    digest: () => session.replica.digest(),
    get unsent() {
      return session.unsent.waiting;
    },
    marksDrawnOn: (sheet) => copy(drawn.get(sheet) ?? []),
    pointersOn: (sheet: Sheet) => live.overlay.pointers(sheet, performance.now()).map(({ name, ghost }) => ({ name, ghost: ghost === true })),
  };
}
