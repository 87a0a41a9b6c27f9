/** The frames of a recording that were frozen for all: when each was looked at, and where its picture is. */
import { editedBy, isVideo, type StillFacts } from '../signalling/marks';
import type { ParticipantId, ProducerId } from '../signalling/protocol';
import { keyOf } from '../stills';
import type { Description } from './description';
import { mediaTime } from './timeline';

/** So long a frozen frame stands beside the picture after it was frozen, or last drawn on. */
const LOOKED_AT_S = 8;
/** What was frozen before the recording is written within this time. */
const BEGINNING_S = 0.05;
/** Positions are those of frames, rounded. */
const ROUNDING_S = 0.002;
/** Whoever goes to a moment may arrive at the frame before it. */
const ARRIVAL_S = 0.1;

export interface FrozenFrame {
  key: string;
  producer: ProducerId;
  rtpTimestamp: number;
  /** When it was frozen; 0: before the recording began. */
  at: number;
  /** It was frozen before the recording began. */
  before: boolean;
  by: ParticipantId;
  name: string;
  colour: string;
  label: string;
  facts: StillFacts;
  /** When people looked at it: it was frozen, or drawn on. In order. */
  moments: readonly number[];
  /** How many marks were ever drawn on it. */
  marks: number;
  /** When the camera took it, Unix ms by the server's clock; null: its camera is not in the recording. */
  captured: number | null;
  /** Its PNG file; null: it is not in the recording. */
  file: string | null;
}

/** All of them, in the order in which they were frozen. */
export function frozenFrames(description: Description): FrozenFrame[] {
  const files = new Map((description.stills ?? []).map(({ producer, rtp_timestamp, file }) => [keyOf(producer, rtp_timestamp), file]));
  const drawn = new Map<string, { at: number; added: boolean }[]>();
  for (const { at, operation } of description.operations) {
    const marks = operation.kind === 'add' ? [operation.mark] : operation.kind === 'edit' ? editedBy(operation) : [];
    for (const { anchor } of marks) {
      if (!isVideo(anchor) || anchor.still !== true) continue;
      const key = keyOf(anchor.producer, anchor.rtp_timestamp);
      drawn.set(key, [...(drawn.get(key) ?? []), { at, added: operation.kind === 'add' }]);
    }
  }
  const frames = new Map<string, FrozenFrame>();
  for (const { at, author, name, colour, operation } of description.operations) {
    if (operation.kind !== 'still') continue;
    const facts = operation.still;
    const key = keyOf(facts.producer, facts.rtp_timestamp);
    const known = frames.get(key);
    const before = at < BEGINNING_S;
    // shown to all once more: people look at it again
    if (known !== undefined) {
      frames.set(key, { ...known, moments: inOrder([...known.moments, at]) });
      continue;
    }
    const on = drawn.get(key) ?? [];
    frames.set(key, {
      key, producer: facts.producer, rtpTimestamp: facts.rtp_timestamp, at: before ? 0 : at, before, by: author, name, colour, label: facts.label, facts,
      moments: inOrder([...(before ? [] : [at]), ...on.map((one) => one.at).filter((moment) => moment >= BEGINNING_S)]),
      marks: on.filter(({ added }) => added).length,
      captured: capturedAt(description, facts, at),
      file: files.get(key) ?? null,
    });
  }
  return [...frames.values()].sort((a, b) => a.at - b.at);
}

/** The frame that people looked at last at a position; null: none just then. */
export function frameLookedAt(frames: readonly FrozenFrame[], position: number): FrozenFrame | null {
  let found: FrozenFrame | null = null;
  let newest = -Infinity;
  for (const frame of frames) {
    const moment = frame.moments.findLast((at) => at <= position + ROUNDING_S);
    if (moment === undefined || position >= moment + LOOKED_AT_S || moment < newest) continue;
    [found, newest] = [frame, moment];
  }
  return found;
}

/** Where a frame bears all that was drawn on it. */
export function lastMoment(frame: FrozenFrame): number {
  return (frame.moments.at(-1) ?? frame.at) + ARRIVAL_S;
}

/** Whether a frame had been frozen at a position. */
export function isFrozenBy(frame: FrozenFrame, position: number): boolean {
  return position + ARRIVAL_S >= frame.at;
}

function inOrder(moments: number[]): number[] {
  return moments.sort((a, b) => a - b);
}

/** On the recording's own time line, as the clock on its pictures. */
function capturedAt({ cameras, started, seconds }: Description, { producer, rtp_timestamp }: StillFacts, at: number): number | null {
  const camera = cameras.find((one) => one.producer === producer);
  return camera === undefined ? null : started + (camera.offset + mediaTime(camera, rtp_timestamp, Math.min(at, seconds))) * 1000;
}
