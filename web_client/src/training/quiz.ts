/** The questions of a recording (PROTOCOL.md, Training), and when playing comes to one. */
import { ticksBetween } from '../media/rtp';
import { WITHIN_FRAME_S } from '../replay/beginning';
import type { Camera } from '../replay/description';
import { mediaTime } from '../replay/timeline';
import type { Mark, Point, ProducerId } from '../signalling/protocol';

export interface Attempt {
  mark: Mark;
  /** In the question's unit. */
  distance: number;
  /** Of two areas: intersection over union. */
  overlap: number | null;
  passed: boolean;
  /** Unix ms. */
  made: number;
  /** Of the question, as it was asked then. */
  version: number;
}

export interface Question {
  question: string;
  /** Counts how often it was changed, from 1. */
  version: number;
  recording: string;
  producer: ProducerId;
  rtp_timestamp: number;
  /** Seconds after the recording's start. */
  at: number;
  /** `percent`: of the picture's width. */
  unit: 'mm' | 'percent';
  prompt: string;
  tolerance: number;
  overlap: number;
  /** Null until one has answered. */
  answer: { mark: Mark; expert: string; words: string } | null;
  attempts: number;
  first: Attempt | null;
  best: Attempt | null;
  /** For who teaches: how many have answered. */
  people?: number;
}

export type Score = Pick<Attempt, 'distance' | 'overlap' | 'passed'>;
/** What a question was before it was changed. */
export interface AskedBefore extends Pick<Question, 'version' | 'prompt' | 'tolerance' | 'overlap' | 'answer'> {
  /** Unix ms. */
  changed: number;
  by: string;
}

export type GivenAttempt = Attempt & { person: string; name: string; first: boolean };

/** Two frames nearer than this are one: containers round their times to a millisecond. */
const SAME_FRAME_TICKS = 90;
/** Who goes on by more than this has jumped, and did not come by what lies between. */
const JUMP_S = 2;

/** Whether the frame on the glass is the one that is meant. */
export function isFrame(shown: number | null, meant: number): boolean {
  return shown !== null && Math.abs(ticksBetween(shown, meant, 0)) <= SAME_FRAME_TICKS;
}

/** Where a replay must stand so that its camera shows this frame. */
export function positionOf(camera: Camera, rtpTimestamp: number, near: number): number {
  return camera.offset + mediaTime(camera, rtpTimestamp, near) + WITHIN_FRAME_S;
}

/** Tells when playing comes to a question: jumping over one is nobody's answer, and not asked for either. */
export class QuizGate {
  #before: number | null = null;

  /** The first open question that was passed since the last call; null: none. */
  handlePosition(position: number, playing: boolean, questions: readonly Question[]): Question | null {
    const before = this.#before;
    this.#before = position;
    if (!playing || before === null || position < before || position - before > JUMP_S) return null;
    return questions.find(({ at, attempts }) => attempts === 0 && before < at && at <= position) ?? null;
  }
}

/** The one place that a mark means: a pin's tip, an arrow's head, the middle of what is drawn else. */
export function placeOf({ shape, points }: Mark): Point {
  const middle: Point = [0.5, 0.5];
  const [first, last] = [points[0] ?? middle, points.at(-1) ?? middle];
  if (shape === 'arrow') return last;
  if (points.length === 1) return first;
  return [points.reduce((sum, [x]) => sum + x, 0) / points.length, points.reduce((sum, [, y]) => sum + y, 0) / points.length];
}

/** A distance as people read it: 3.4 mm, 1.2 %. */
export function sayDistance(distance: number, unit: Question['unit']): string {
  const figure = distance < 10 ? distance.toFixed(1) : String(Math.round(distance));
  return unit === 'mm' ? `${figure} mm` : `${figure} %`;
}

export function sayShare(share: number): string {
  return `${Math.round(share * 100)} %`;
}
