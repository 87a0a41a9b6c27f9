import { expect, test } from 'vitest';
import type { Camera } from '../src/replay/description';
import { isFrame, placeOf, positionOf, QuizGate, sayDistance, type Question } from '../src/training/quiz';
import { QuizPen } from '../src/ui/training/quiz_pen.svelte';

function question(at: number, attempts = 0): Question {
  return {
    question: `q-${at}`, version: 1, recording: 'r', producer: 7, rtp_timestamp: 0, at, unit: 'mm', prompt: '', tolerance: 5, overlap: 0.5, answer: null, attempts,
    first: null, best: null,
  };
}

test('playing is stopped at an open question that it comes by, and at no other', () => {
  const gate = new QuizGate();
  const all = [question(1), question(2, 1), question(3)];
  const seen = [0.9, 0.98, 1.02, 1.5, 2.1, 2.99, 3, 3.1].map((position) => gate.handlePosition(position, true, all)?.at ?? null);
  expect(seen).toEqual([null, null, 1, null, null, null, 3, null]);
});

test('who jumps over a question, goes back, or stands still is not stopped', () => {
  const gate = new QuizGate();
  const all = [question(10)];
  gate.handlePosition(5, true, all);
  expect(gate.handlePosition(30, true, all)).toBeNull();
  expect(gate.handlePosition(9.9, true, all)).toBeNull();
  expect(gate.handlePosition(10.1, false, all)).toBeNull();
});

test('a frame is told by its timestamp, to a millisecond and over the wrap', () => {
  expect(isFrame(45, 2 ** 32 - 20)).toBe(true);
  expect(isFrame(3000, 0)).toBe(false);
  expect(isFrame(null, 0)).toBe(false);
  const camera = { offset: 0.5, first_rtp_timestamp: 2 ** 32 - 90_000, clock_rate: 90_000 } as Camera;
  expect(positionOf(camera, 90_000, 2.5)).toBeCloseTo(2.502, 6);
});

test('a mark means one place', () => {
  const mark = { mark: 'm', anchor: { board: 1 }, width: 0.01, text: '' };
  expect(placeOf({ ...mark, shape: 'arrow', points: [[0, 0], [0.4, 0.2]] })).toEqual([0.4, 0.2]);
  expect(placeOf({ ...mark, shape: 'ellipse', points: [[0, 0], [0.5, 0.25]] })).toEqual([0.25, 0.125]);
  expect(placeOf({ ...mark, shape: 'pin', points: [[0.3, 0.7]] })).toEqual([0.3, 0.7]);
});

test('distances in few digits', () => {
  expect([sayDistance(3.44, 'mm'), sayDistance(12.6, 'percent')]).toEqual(['3.4 mm', '13 %']);
});

test('an answer is one mark, on its frame, and stands once it is given', () => {
  const pen = new QuizPen({ producer: 7, rtp_timestamp: 1000 }, () => 'You');
  const press = (x: number): void => {
    if (!pen.drawing.permit()) return;
    pen.tools.handleDown([x, 0.5], { producer: 7, rtp_timestamp: 1000 }, 0);
    pen.tools.handleUp();
  };
  press(0.2);
  press(0.4);
  expect(pen.mark).toMatchObject({ shape: 'pin', points: [[0.4, 0.5]], anchor: { producer: 7, rtp_timestamp: 1000 } });
  expect(pen.marks(7).length).toBe(1);
  expect(pen.marks(8)).toEqual([]);
  pen.clear();
  expect(pen.mark).toBeNull();
  press(0.6);
  const answer = { mark: 'm-x', shape: 'arrow' as const, anchor: { producer: 7, rtp_timestamp: 1000 }, points: [[0, 0], [1, 1]] as [number, number][], width: 0.006, text: '' };
  pen.close([{ mark: answer, name: 'Prof. Keller', colour: '#00ff87' }]);
  press(0.8);
  expect(pen.mark?.points).toEqual([[0.6, 0.5]]);
  expect(pen.marks(7).map(({ mark, name }) => [mark.shape, name])).toEqual([['arrow', 'Prof. Keller'], ['pin', 'You']]);
  expect(pen.shownMark).toBe('m-x');
});
