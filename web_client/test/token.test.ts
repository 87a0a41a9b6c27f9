import { expect, test } from 'vitest';
import { decodeToken, parseFragment } from '../src/signalling/token';

function token(claims: unknown): string {
  const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
  return `eyJhbGciOiJIUzI1NiJ9.${payload}.c2ln`;
}

test('the fragment holds token and recording', () => {
  expect(parseFragment('#token=a.b.c&recording=r-1')).toEqual({ token: 'a.b.c', recording: 'r-1' });
  expect(parseFragment('')).toEqual({ token: null, recording: null });
  expect(parseFragment('#token=')).toEqual({ token: null, recording: null });
});

test('names in any script are read', () => {
  expect(decodeToken(token({ room: 'demo', name: '李伟 主任', role: 'expert', exp: 99 }))).toEqual({
    room: 'demo',
    name: '李伟 主任',
    role: 'expert',
    expires: 99,
  });
});

test.each(['', 'abc', 'a.b.c', 'a.%%%.c', token(null), token({ room: 'demo', name: 'x', role: 'root' }), token({ role: 'expert' })])(
  'what is no link of ours is none: %s',
  (text) => expect(decodeToken(text)).toBeNull(),
);
