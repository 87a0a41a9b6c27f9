import { expect, test } from 'vitest';
import { ServerClock } from '../src/signalling/clock';

test('before the welcome nothing is known', () => {
  expect(new ServerClock().serverTime(0)).toBeNull();
});

test('the fastest echo is believed', () => {
  const clock = new ServerClock();
  clock.handleWelcome(10_050, 0);
  // the true offset is 10,000; a slow and lopsided echo, then a fast one
  clock.handlePong(100, 10_190, 200);
  clock.handlePong(300, 10_302, 304);
  clock.handlePong(400, 10_480, 500);
  expect(clock.serverTime(1000)).toBe(11_000);
  expect(clock.roundTrip).toBe(4);
});

test('an echo that is too old no longer counts', () => {
  const clock = new ServerClock();
  clock.handlePong(0, 10_001, 2);
  clock.handlePong(40_000, 50_120, 40_040);
  expect(clock.roundTrip).toBe(40);
  expect(clock.serverTime(40_040)).toBe(50_140);
});

test('a welcome begins anew: the server may be another', () => {
  const clock = new ServerClock();
  clock.handlePong(0, 10_001, 2);
  clock.handleWelcome(99_000, 1000);
  expect(clock.serverTime(1000)).toBe(99_000);
});
