import { describe, expect, it } from 'vitest';
import { toolOfKey } from '../src/annotation/shapes';
import { deedOf, HAND_KEYS, type Hand } from '../src/dicom/pane_keys';
import { stepped } from '../src/dicom/windowing';
import { tabOfKey } from '../src/ui/stage_tabs';

describe('keys of a pane', () => {
  it('move what the hand would: images, the window, the picture, its size', () => {
    const deeds = (hand: Hand, shift = false): unknown[] => ['arrowleft', 'arrowright', 'arrowup', 'arrowdown'].map((key) => deedOf(key, shift, hand));
    expect(deeds('scroll')).toEqual([-1, 1, -1, 1].map((by) => ({ kind: 'scroll', by })));
    expect(deeds('window')).toEqual([[-1, 0], [1, 0], [0, -1], [0, 1]].map(([across, down]) => ({ kind: 'window', across, down, coarse: false })));
    expect(deeds('window', true)[0]).toEqual({ kind: 'window', across: -1, down: 0, coarse: true });
    expect(deeds('pan')[1]).toEqual({ kind: 'pan', x: 0.04, y: 0 });
    expect(deeds('pan', true)[3]).toEqual({ kind: 'pan', x: 0, y: 0.2 });
    expect(deeds('zoom')).toEqual([0.8, 1.25, 1.25, 0.8].map((factor) => ({ kind: 'zoom', factor })));
    // they move the pen's crosshair then; pages are turned in any case
    expect(deeds('draw')).toEqual([null, null, null, null]);
    expect(deedOf('pagedown', false, 'draw')).toEqual({ kind: 'scroll', by: 10 });
  });

  it('take the hands, and leave every key of the room what it is', () => {
    expect(Object.entries(HAND_KEYS).map(([hand, key]) => [hand, deedOf(key.toLowerCase(), false, 'scroll')])).toEqual(
      Object.keys(HAND_KEYS).map((hand) => [hand, { kind: 'hand', hand }]),
    );
    // H raises the hand wherever the focus is; so with all others that RoomView knows
    const room = [...'hmvfputlcxgiydnjbo[]?ks0123456789', 'escape', 'delete', 'enter'];
    expect(room.filter((key) => deedOf(key, false, 'scroll') !== null)).toEqual([]);
    for (const key of [...'awezqr+-']) expect([deedOf(key, false, 'scroll') === null, toolOfKey(key), tabOfKey(key, 'images')]).toEqual([false, null, null]);
  });
});

describe('a window by keyboard', () => {
  it('goes in round steps of its own width, which Shift makes larger', () => {
    expect(stepped([40, 400], 1, 0, false)).toEqual([40, 410]);
    expect(stepped([40, 400], 0, -1, false)).toEqual([30, 400]);
    expect(stepped([40, 400], -1, 0, true)).toEqual([40, 320]);
    expect(stepped([1000, 2], 0, 1, false)).toEqual([1000.05, 2]);
    expect(stepped([0.5, 0.02], -1, 1, true)).toEqual([0.504, 0.016]);
  });

  it('never loses its width: whole values keep one, and others come down as far as one likes', () => {
    let window: [number, number] = [40, 400];
    for (let at = 0; at < 200; at += 1) window = stepped(window, -1, 0, true);
    expect(window).toEqual([40, 1]);
    window = [0, 0.5];
    for (let at = 0; at < 50; at += 1) window = stepped(window, -1, 0, true);
    expect(window[1]).toBeGreaterThan(0);
    expect(window[1]).toBeLessThan(0.001);
  });
});
