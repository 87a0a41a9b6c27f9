import { describe, expect, it } from 'vitest';
import { Arrival, type PlayerLook } from '../src/replay/arrival';

const there: PlayerLook = { seeking: false, hasPicture: true, currentTime: 58, wanted: 58, behindKey: () => 0 };
const onTheWay: PlayerLook = { ...there, seeking: true, hasPicture: false };

/** Look every 100 ms, and give when it was to do something. */
function watch(arrival: Arrival, look: PlayerLook, from: number, until: number): [number, string][] {
  const done: [number, string][] = [];
  for (let now = from; now <= until; now += 100) {
    const todo = arrival.handleTick(look, now);
    if (todo !== null) done.push([now, todo]);
  }
  return done;
}

describe('a player', () => {
  it('whose seek does not end is sent again, later each time', () => {
    const arrival = new Arrival();
    arrival.handleSent();
    expect(watch(arrival, onTheWay, 0, 30_000)).toEqual([[3000, 'send'], [9000, 'send'], [21_000, 'send']]);
    // another seek is as new
    arrival.handleSent();
    expect(watch(arrival, onTheWay, 40_000, 44_000)).toEqual([[43_000, 'send']]);
  });

  it('has the time that its decoder needs from the key frame on', () => {
    const arrival = new Arrival();
    arrival.handleSent();
    expect(watch(arrival, { ...onTheWay, behindKey: () => 8 }, 0, 12_000)).toEqual([[11_000, 'send']]);
  });

  it('is not hurried while its data are still to come', () => {
    const arrival = new Arrival();
    arrival.handleSent();
    expect(watch(arrival, { ...onTheWay, behindKey: () => null }, 0, 60_000)).toEqual([]);
    expect(watch(arrival, onTheWay, 60_100, 64_000)).toEqual([[63_100, 'send']]);
  });

  it('that stands elsewhere without seeking is sent, unless it plays', () => {
    const arrival = new Arrival();
    arrival.handleSent();
    expect(watch(arrival, { ...there, currentTime: 3 }, 0, 4000)).toEqual([[3000, 'send']]);
    const playing = new Arrival();
    playing.handleSent();
    expect(watch(playing, { ...there, currentTime: 3, wanted: null }, 0, 60_000)).toEqual([]);
  });

  it('of whose frame nobody was told is asked once', () => {
    const arrival = new Arrival();
    arrival.handleSent();
    expect(watch(arrival, onTheWay, 0, 1000)).toEqual([]);
    // of the frame before the seek
    arrival.handleFrame(3);
    expect(watch(arrival, there, 1100, 10_000)).toEqual([[1600, 'ask']]);
  });

  it('of whose frame the page was told is not asked', () => {
    const arrival = new Arrival();
    arrival.handleSent();
    expect(watch(arrival, onTheWay, 0, 0)).toEqual([]);
    // before the seek was said to have ended
    arrival.handleFrame(57.98);
    expect(watch(arrival, there, 0, 10_000)).toEqual([]);
  });

  it('that is paused is asked which frame it came to', () => {
    const arrival = new Arrival();
    const playing: PlayerLook = { ...there, wanted: null };
    expect(watch(arrival, playing, 0, 2000)).toEqual([]);
    arrival.handleFrame(57.93);
    expect(watch(arrival, there, 2100, 10_000)).toEqual([[2600, 'ask']]);
  });
});
