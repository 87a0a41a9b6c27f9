import { beforeEach, describe, expect, it } from 'vitest';
import { Replica } from '../src/annotation/document';
import { FRESH_MS, Guidance, LINGER_MS, OVERDUE_MS, freshMark, isOverdue, lingering, openFirst, type DrawnOnField } from '../src/guidance';
import type { ClientOperation, LoggedOperation, Operation } from '../src/signalling/marks';
import { Room } from '../src/signalling/room';
import { logged, mark } from './fakes/marks';
import { person, welcome } from './fakes/server';

const START = 1_795_305_600_000;
const ME = 'pt-5f0c2a9e';
const SURGEON = 'pt-11aa22bb';

let replica: Replica;
let room: Room;
let guidance: Guidance;
let asked: ClientOperation[];
let sequence: number;

function take(author: string, operation: Operation, seconds: number): void {
  sequence += 1;
  const entry: LoggedOperation = { ...logged(sequence, author, operation), time: START + seconds * 1000 };
  replica.handleOperation(entry);
}
const instruct = (instruction: string, seconds: number, mark: string | null = null): void =>
  take(ME, { kind: 'instruct', instruction, text: 'Clip here', mark, spoken: false }, seconds);
const answer = (instruction: string, what: 'seen' | 'done' | 'no', seconds: number): void =>
  take(SURGEON, { kind: 'answer', instruction, answer: what }, seconds);

beforeEach(() => {
  replica = new Replica();
  room = new Room();
  room.handleWelcome(welcome());
  asked = [];
  sequence = 0;
  guidance = new Guidance(room, replica, async (operation) => (asked.push(operation), true), () => 'x');
});

describe('what an instruction has come to', () => {
  it('is told with the times of seeing and doing', () => {
    instruct('i-1', 0);
    expect(guidance.instructions[0]).toMatchObject({ state: 'sent', seenAfter: null, closedAfter: null });
    answer('i-1', 'seen', 1.2);
    expect(guidance.instructions[0]).toMatchObject({ state: 'seen', seenAfter: 1200, closedAfter: null });
    answer('i-1', 'done', 14);
    expect(guidance.instructions[0]).toMatchObject({ state: 'done', seenAfter: 1200, closedAfter: 14_000, answeredBy: SURGEON });
  });

  it('counts an answer without seen as seen then, and takes nothing after the end', () => {
    instruct('i-1', 0);
    answer('i-1', 'no', 3);
    answer('i-1', 'done', 4);
    expect(guidance.instructions[0]).toMatchObject({ state: 'no', seenAfter: 3000, closedAfter: 3000 });
  });

  it('is withdrawn by its author, seen by nobody', () => {
    instruct('i-1', 0);
    take(ME, { kind: 'withdraw', instruction: 'i-1' }, 2);
    expect(guidance.instructions[0]).toMatchObject({ state: 'withdrawn', seenAfter: null, closedAfter: 2000 });
  });
});

describe('the cards', () => {
  it('stand with the oldest unanswered first, then what was only seen', () => {
    for (const [index, name] of ['i-1', 'i-2', 'i-3', 'i-4'].entries()) instruct(name, index);
    answer('i-1', 'seen', 5);
    answer('i-3', 'done', 6);
    expect(openFirst(guidance.instructions).map(({ instruction }) => instruction)).toEqual(['i-2', 'i-4', 'i-1']);
    expect(lingering(guidance.instructions, START + 7000).map(({ instruction }) => instruction)).toEqual(['i-3']);
    expect(lingering(guidance.instructions, START + 6000 + LINGER_MS)).toEqual([]);
  });

  it('are emphasised when nobody has seen them for long', () => {
    instruct('i-1', 0);
    const [view] = guidance.instructions;
    expect(view !== undefined && isOverdue(view, START + OVERDUE_MS - 1)).toBe(false);
    expect(view !== undefined && isOverdue(view, START + OVERDUE_MS)).toBe(true);
    answer('i-1', 'seen', 20);
    const [seen] = guidance.instructions;
    expect(seen !== undefined && isOverdue(seen, START + 60_000)).toBe(false);
  });
});

describe('who answers', () => {
  it('is the surgeon, or who shows the field', () => {
    expect(guidance.mayAnswer).toBe(false);
    room.handleWelcome(welcome({ self: SURGEON, permissions: ['answer'] }));
    expect(guidance.mayAnswer).toBe(true);
    room.handleWelcome(welcome({ self: SURGEON, permissions: [], participants: [person({ participant: SURGEON })] }));
    expect(guidance.mayAnswer).toBe(true);
  });

  it('means by done what was seen, though something new has come', () => {
    room.handleWelcome(welcome({ self: SURGEON, permissions: ['answer'] }));
    instruct('i-1', 0);
    answer('i-1', 'seen', 1);
    instruct('i-2', 2);
    guidance.answerFirst('done');
    guidance.answerFirst('seen');
    answer('i-1', 'done', 3);
    guidance.answerFirst('no');
    expect(asked.map((operation) => operation.kind === 'answer' && [operation.instruction, operation.answer])).toEqual([
      ['i-1', 'done'],
      ['i-2', 'seen'],
      ['i-2', 'no'],
    ]);
  });

  it('answers the first by a key: seen the first that was not, done the one that stands first', () => {
    expect(guidance.answerFirst('seen')).toBe(false);
    instruct('i-1', 0);
    expect(guidance.answerFirst('seen')).toBe(false);
    room.handleWelcome(welcome({ self: SURGEON, permissions: ['answer'] }));
    expect(guidance.answerFirst('seen')).toBe(true);
    answer('i-1', 'seen', 1);
    expect(guidance.answerFirst('seen')).toBe(false);
    expect(guidance.answerFirst('done')).toBe(true);
    expect(asked).toEqual([
      { kind: 'answer', instruction: 'i-1', answer: 'seen' },
      { kind: 'answer', instruction: 'i-1', answer: 'done' },
    ]);
  });
});

describe('asking', () => {
  it('bears an identifier of its own each time, and no more words than fit', async () => {
    await guidance.instruct(`  ${'long '.repeat(60)}`, null, false);
    await guidance.instruct('Cut here', 'm-1', true);
    const [first, second] = asked;
    expect(first).toMatchObject({ kind: 'instruct', instruction: 'i-x-1', mark: null, spoken: false });
    expect(first?.kind === 'instruct' && first.text.length).toBe(200);
    expect(second).toMatchObject({ instruction: 'i-x-2', mark: 'm-1', spoken: true });
  });

  it('means one’s own newest mark on the live field, and none that is grey or old', () => {
    const drawn = (name: string, fields: Partial<DrawnOnField> = {}): DrawnOnField => ({ mark: mark(name), author: ME, since: START, ...fields });
    const meant = (...all: DrawnOnField[]): string | null => freshMark(all, ME, START + 5000)?.mark ?? null;
    expect(meant()).toBe(null);
    expect(meant(drawn('m-old'), drawn('m-mine', { state: 'good' }), drawn('m-theirs', { author: SURGEON }))).toBe('m-mine');
    expect(meant(drawn('m-just-now', { since: null }))).toBe('m-just-now');
    for (const state of ['lost', 'stale', 'pending']) expect(meant(drawn('m-grey', { state })), state).toBe(null);
    expect(meant(drawn('m-before', { outdated: true }))).toBe(null);
    expect(meant(drawn('m-long-ago', { since: START + 5000 - FRESH_MS }))).toBe(null);
    expect(freshMark([drawn('m-mine')], null, START)).toBe(null);
  });
});

describe('the number of an instruction', () => {
  /** As the server says it. */
  const given = (number: number): Operation => ({ kind: 'instruct', instruction: `i-${number}`, text: 'Clip here', mark: null, spoken: false, number });

  it('never shifts, however many notes come, and is the same for a late comer', () => {
    for (let n = 1; n <= 700; n += 1) {
      take(ME, given(n), n);
      answer(`i-${n}`, 'seen', n);
      answer(`i-${n}`, 'done', n);
    }
    const numbers = guidance.instructions.map(({ instruction, number }) => [instruction, number]);
    expect(numbers).toEqual(Array.from({ length: 200 }, (_, index) => [`i-${501 + index}`, 501 + index]));
    const late = new Replica();
    late.handleSnapshot({ after: 0, sequence: 2100, operations: [logged(2098, ME, given(700)), logged(2099, SURGEON, { kind: 'answer', instruction: 'i-700', answer: 'seen' })] });
    expect(late.instructions.map(({ number }) => number)).toEqual([700]);
  });

  it('stays, with its instruction, as long as that waits for an answer', () => {
    take(ME, given(1), 0);
    take(ME, given(2), 0);
    answer('i-2', 'seen', 1);
    for (let n = 3; n < 403; n += 1) {
      take(ME, given(n), n);
      answer(`i-${n}`, 'done', n);
    }
    expect(guidance.open.map(({ number, state }) => [number, state])).toEqual([[1, 'sent'], [2, 'seen']]);
    answer('i-1', 'no', 500);
    take(ME, given(403), 501);
    expect(guidance.instructions.map(({ number }) => number)).not.toContain(1);
    expect(guidance.open.map(({ number }) => number)).toEqual([403, 2]);
  });

  it('is counted in recordings from before it was given, and does not shift there either', () => {
    for (let n = 1; n <= 300; n += 1) {
      instruct(`i-${n}`, n);
      answer(`i-${n}`, 'seen', n);
      answer(`i-${n}`, 'done', n);
    }
    expect(guidance.instructions.at(0)).toMatchObject({ instruction: 'i-101', number: 101 });
    expect(guidance.instructions.at(-1)).toMatchObject({ instruction: 'i-300', number: 300 });
  });
});
