import { expect, test } from 'vitest';
import { SAY_LIMIT, Unread, continues, lengthOf, linesOf, sayable } from '../src/chat';

const signed = (sequence: number, author = 'pt-1', time = sequence * 1000) => ({ sequence, time, author, name: 'Dr. Li', colour: '#4cc2ff' });
const say = (sequence: number, text = 'x', author = 'pt-1') => ({ ...signed(sequence, author), text });
const file = (sequence: number) => ({
  ...signed(sequence),
  shared: { file: 'f-1', name: 'a.pdf', size: 1, digest: 'ab', type: 'application/pdf' },
});

test('messages and files stand in the order of the log', () => {
  expect(linesOf([say(1), say(7)], [file(3)]).map(({ sequence, kind }) => [sequence, kind])).toEqual([
    [1, 'say'],
    [3, 'file'],
    [7, 'say'],
  ]);
});

test('what is sent is what the server takes: lines stay, what controls and what turns goes', () => {
  expect(sayable('  first\r\nsecond\rthird\u2028fourth\n\n')).toBe('first\nsecond\nthird\nfourth');
  expect(sayable('a\tb\u0000c\u0007\u202ed\u2066e')).toBe('a bcde');
  expect(sayable(' \n\t ')).toBe('');
  expect(sayable('👩‍⚕️ 好')).toBe('👩‍⚕️ 好');
  expect(sayable('a\ud800b')).toBe('ab');
  expect(sayable('<b>bold</b> & "quoted"')).toBe('<b>bold</b> & "quoted"');
  expect(lengthOf(sayable('好'.repeat(3000)))).toBe(SAY_LIMIT);
  expect(lengthOf(sayable('👍'.repeat(3000)))).toBe(SAY_LIMIT);
});

test('what others wrote since one looked is new, one’s own is not', () => {
  const unread = new Unread();
  const lines = [say(1), say(2, 'x', 'pt-me'), say(5)];
  expect(unread.count(lines, 'pt-me')).toBe(2);
  unread.see(lines);
  expect(unread.count(lines, 'pt-me')).toBe(0);
  expect(unread.new([...lines, say(8)], 'pt-me').map(({ sequence }) => sequence)).toEqual([8]);
  unread.see([]);
  expect(unread.count(lines, 'pt-me')).toBe(0);
  unread.reset();
  expect(unread.count(lines, 'pt-me')).toBe(2);
});

test('a name stands once over what one says in a row', () => {
  const [first, second, third] = linesOf([say(1), say(2), say(3, 'x', 'pt-2')], []);
  expect(continues(second!, first)).toBe(true);
  expect(continues(third!, second)).toBe(false);
  expect(continues({ ...second!, time: 500_000 }, first)).toBe(false);
  expect(continues(first!, undefined)).toBe(false);
});
