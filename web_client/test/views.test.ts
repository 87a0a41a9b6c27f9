import { beforeEach, expect, test } from 'vitest';
import { Views } from '../src/media/views';
import { FakeTimers } from './fakes/timers';

let timers: FakeTimers;
let views: Views;
let told: [number, number, number][];
const tile = {};
const stage = {};

beforeEach(() => {
  timers = new FakeTimers();
  views = new Views(timers);
  told = [];
  views.on('view', ({ producer, width, height }) => told.push([producer, width, height]));
});

test('a size is told once it rests, and not again', () => {
  views.handleSize(7, tile, 300, 168);
  timers.advance(100);
  views.handleSize(7, tile, 320.4, 180.2);
  timers.advance(149);
  expect(told).toEqual([]);
  timers.advance(1);
  views.handleSize(7, tile, 320, 180);
  timers.advance(1000);
  expect(told).toEqual([[7, 320, 180]]);
});

test('a picture that moves to another element is never said to be hidden', () => {
  views.handleSize(7, tile, 320, 180);
  timers.advance(200);
  views.handleSize(7, stage, 1280, 720);
  views.handleGone(7, tile);
  timers.advance(200);
  expect(told).toEqual([[7, 320, 180], [7, 1280, 720]]);
  views.handleGone(7, stage);
  timers.advance(200);
  expect(told.at(-1)).toEqual([7, 0, 0]);
});

test('a hidden page hides all, and shows all again', () => {
  views.handleSize(7, tile, 320, 180);
  views.handleSize(8, stage, 1280, 720);
  views.handlePageHidden(true);
  timers.advance(200);
  views.handlePageHidden(false);
  timers.advance(200);
  expect(told).toEqual([[7, 0, 0], [8, 0, 0], [7, 320, 180], [8, 1280, 720]]);
});

test('after an offer everything is told anew, but for what has ended', () => {
  views.handleSize(7, tile, 320, 180);
  views.handleSize(8, stage, 1280, 720);
  timers.advance(200);
  views.handleRemoved(7);
  views.tellAnew();
  timers.advance(200);
  expect(told.slice(2)).toEqual([[8, 1280, 720]]);
});
