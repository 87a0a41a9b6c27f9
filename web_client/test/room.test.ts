import { beforeEach, expect, test } from 'vitest';
import type { Audience, Knock, Producer } from '../src/signalling/protocol';
import { Room } from '../src/signalling/room';
import { person, welcome } from './fakes/server';

let room: Room;
let said: unknown[];

const knock = (waiting: string): Knock => ({ waiting, name: waiting, role: 'expert', since: 0 });
const other = (hand: number, participant = 'pt-x') => ({ type: 'participant', participant: person({ participant, hand }) }) as const;

beforeEach(() => {
  room = new Room();
  said = [];
  for (const kind of ['joined', 'left', 'knocked', 'locked', 'hand', 'permitted', 'producer_removed'] as const) {
    room.on(kind, (what) => said.push([kind, what]));
  }
  room.handleWelcome(welcome());
});

test('the first word of how the door stands is no news, the next ones are', () => {
  room.handleNotice({ type: 'door', locked: true, waiting: [] });
  expect([said, room.door.locked]).toEqual([[], true]);
  room.handleNotice({ type: 'door', locked: true, waiting: [knock('a')] });
  room.handleNotice({ type: 'door', locked: false, waiting: [knock('a'), knock('b')] });
  room.handleNotice({ type: 'door', locked: false, waiting: [knock('b')] });
  expect(said).toEqual([
    ['knocked', knock('a')],
    ['knocked', knock('b')],
    ['locked', false],
  ]);
  // after a break the server tells it anew
  room.handleWelcome(welcome());
  room.handleNotice({ type: 'door', locked: true, waiting: [knock('b')] });
  expect(said.length).toBe(3);
});

test('hands stand in the order in which they went up', () => {
  room.handleNotice(other(0));
  room.handleNotice(other(9));
  room.handleNotice({ type: 'participant', participant: person({ hand: 4 }) });
  expect(room.hands.map(({ participant }) => participant)).toEqual(['pt-5f0c2a9e', 'pt-x']);
  room.handleNotice(other(0));
  expect(room.hands.map(({ participant }) => participant)).toEqual(['pt-5f0c2a9e']);
  expect(said.filter((what) => (what as unknown[])[0] === 'hand')).toMatchObject([
    ['hand', { raised: true }],
    ['hand', { raised: true }],
    ['hand', { raised: false }],
  ]);
  // somebody who comes in with a hand up has not just raised it
  said = [];
  room.handleNotice(other(11, 'pt-y'));
  expect(said).toMatchObject([['joined', { participant: 'pt-y' }]]);
});

test('what one may send is told when it changes, also after a break', () => {
  room.handleNotice({ type: 'participant', participant: person({ sources: ['microphone'] }) });
  expect(room.maySend('camera')).toBe(false);
  room.handleNotice({ type: 'participant', participant: person({ sources: ['microphone'], hand: 1 }) });
  room.handleNotice({ type: 'participant', participant: person({ participant: 'pt-x', sources: [] }) });
  room.handleWelcome(welcome());
  expect(said.filter((what) => (what as unknown[])[0] === 'permitted')).toEqual([
    ['permitted', { forbidden: ['camera', 'screen', 'second'], allowed: [] }],
    ['permitted', { forbidden: [], allowed: ['camera', 'screen', 'second'] }],
  ]);
});

test.each<[Audience | null, boolean]>([
  [null, true],
  [{ roles: ['surgeon', 'chair'], participants: [] }, false],
  [{ roles: ['expert'], participants: [] }, true],
  [{ roles: [], participants: ['pt-5f0c2a9e'] }, true],
  [{ roles: [], participants: [] }, false],
])('of the audience %o one is: %s', (audience, may) => {
  const [field] = welcome().producers as [Producer];
  expect(room.mayWatch({ ...field, audience })).toBe(may);
  expect(room.mayWatch({ ...field, participant: 'pt-5f0c2a9e', audience })).toBe(true);
});

test('the speaker is who the server says, and a repetition changes nothing', () => {
  let changes = 0;
  room.on('changed', () => (changes += 1));
  room.handleNotice({ type: 'speaker', participant: 'pt-11aa22bb' });
  room.handleNotice({ type: 'speaker', participant: 'pt-11aa22bb' });
  expect([room.speaker, changes]).toEqual(['pt-11aa22bb', 1]);
  room.handleNotice({ type: 'speaker', participant: null });
  expect([room.speaker, changes]).toEqual([null, 2]);
});

test('the patient is whom the server says, from the welcome and from news', () => {
  const patient = { name: 'Müller^Anna', patient_id: '4711', birth_date: '19700101', key: 'k-1' };
  expect(room.patient).toBe(null);
  room.handleNotice({ type: 'patient', patient });
  expect(room.patient).toEqual(patient);
  room.handleNotice({ type: 'patient', patient: null });
  expect(room.patient).toBe(null);
  room.handleWelcome(welcome({ patient }));
  expect(room.patient).toEqual(patient);
});

test('the pen is the role’s until surgeon or chair give or take it', () => {
  const told: boolean[] = [];
  room.on('pen', (mine) => told.push(mine));
  const me = (draws: boolean) => room.handleNotice({ type: 'participant', participant: person({ draws }) });
  me(true);
  expect([room.may('mark'), room.penTaken]).toEqual([true, false]);
  me(false);
  expect([room.may('mark'), room.may('clear_own'), room.penTaken]).toEqual([false, true, true]);
  // a trainee who was given the pen may also wipe his own marks away
  room.handleWelcome(welcome({ permissions: ['watch'], participants: [person({ role: 'trainee', draws: true })] }));
  expect([room.may('mark'), room.may('clear_own'), room.may('clear_field'), room.penTaken]).toEqual([true, true, false, false]);
  expect(told.at(-1)).toBe(true);
});
