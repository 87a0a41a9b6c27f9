import { expect, test } from 'vitest';
import { Heartbeat, type PlayedPart } from '../src/training/heartbeat';
import { sayCode, sayHours, shareOf } from '../src/training/learning';

function beating(answer: 'taken' | 'gone' | 'later' = 'taken'): { beat: Heartbeat; told: PlayedPart[][]; play: (from: number, seconds: number, speed?: number, seen?: boolean) => void; at: () => number } {
  const told: PlayedPart[][] = [];
  let [now, replies] = [1000, answer];
  const beat = new Heartbeat(async (parts) => {
    told.push(parts);
    const said = replies;
    replies = 'taken';
    return said;
  });
  const play = (from: number, seconds: number, speed = 1, seen = true): void => {
    for (let gone = 0; gone <= seconds * 10; gone += 1) {
      beat.handleTick(from + gone / 10, true, speed, seen, now);
      now += 100 / speed;
    }
  };
  return { beat, told, play, at: () => now };
}

const rounded = (parts: readonly PlayedPart[] = []): PlayedPart[] => parts.map(({ from, to, speed }) => ({ from: Math.round(from * 10) / 10, to: Math.round(to * 10) / 10, speed }));

test('what is played is told in parts, each at its speed', async () => {
  const { beat, told, play, at } = beating();
  play(10, 3);
  play(13, 4, 2);
  // a jump is not watched
  play(100, 2);
  await beat.tell(at(), false);
  expect(rounded(told.flat())).toEqual([
    { from: 10, to: 13, speed: 1 },
    { from: 13, to: 17, speed: 2 },
    { from: 100, to: 102, speed: 1 },
  ]);
});

test('a hidden tab does not count, nor a picture that stands', async () => {
  const { beat, told, play, at } = beating();
  play(0, 5, 1, false);
  for (let k = 0; k < 50; k += 1) beat.handleTick(5, false, 1, true, at() + k * 100);
  await beat.tell(at(), true);
  expect(told).toEqual([]);
});

test('it is told by itself, and what could not be told waits', async () => {
  const { beat, told, play, at } = beating('later');
  play(0, 16);
  // the refusal comes back over several promises
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  expect(told.length).toBe(1);
  await beat.tell(at(), false);
  expect(rounded(told[1])).toEqual([{ from: 0, to: 15, speed: 1 }, { from: 15, to: 16, speed: 1 }]);
});

test('hours and codes as people read them', () => {
  const say = (key: string, values: Record<string, number>): string => `${key} ${Object.values(values).join()}`;
  expect([sayHours(7500, say), sayHours(90, say), sayHours(4, say)]).toEqual(['hours_minutes 2,5', 'minutes_only 1', 'seconds_only 4']);
  expect(sayCode('ABCDEFGH23456777')).toBe('ABCD-EFGH-2345-6777');
  expect(shareOf({ progress: [{ watched: 1, questions: 0, answered: 0, passed: 0 }, { watched: 0.5, questions: 0, answered: 0, passed: 0 }] })).toBe(0.75);
});
