import { expect, test } from 'vitest';
import { fieldLength, sayMillimetres, validCalibration } from '../src/annotation/field_scale';
import type { Calibration } from '../src/annotation/notebook';
import { mark } from './fakes/marks';

const HD = { width: 1920, height: 1080 };
const signed = { sequence: 1, time: 0, author: 'pt-1', name: 'A', colour: '#fff' };
/** A tenth of the picture's width is 10 mm. */
const known: Calibration = { ...signed, anchor: { producer: 7, rtp_timestamp: 90_000 }, points: [[0.5, 0.5], [0.6, 0.5]], millimetres: 10 };
const across = mark('m', { shape: 'length', points: [[0.2, 0.2], [0.4, 0.2]] });
/** The moment of a frame whose timestamp may have come round. */
const at = (ticks: number): { rtpTimestamp: number; time: number } => ({ rtpTimestamp: ticks >>> 0, time: (ticks - 90_000) / 90 });
/** As many pixels, but upwards. */
const upwards = mark('m', { shape: 'length', points: [[0.2, 0.1], [0.2, 0.1 + (0.2 * 1920) / 1080]] });

test('lengths in millimetres follow the calibration, in every direction', () => {
  for (const length of [across, upwards]) expect(fieldLength(length, known, HD)).toEqual({ value: expect.closeTo(20), unit: 'mm' });
  // whatever size of the picture one is sent
  expect(fieldLength(across, known, { width: 480, height: 270 })).toEqual({ value: expect.closeTo(20), unit: 'mm' });
});

test('without a calibration they are pixels, and never millimetres', () => {
  expect(fieldLength(across, null, HD)).toEqual({ value: expect.closeTo(384), unit: 'px' });
  expect(fieldLength(across, { ...known, points: [[0.5, 0.5], [0.5, 0.5]] }, HD)?.unit).toBe('px');
});

test('only lengths have a length, and only where the picture has a size', () => {
  expect(fieldLength(mark('m', { shape: 'arrow' }), known, HD)).toBeNull();
  expect(fieldLength(across, known, { width: 0, height: 0 })).toBeNull();
});

test('a calibration from before an interruption holds no longer', () => {
  const frame = at(200_000);
  expect(validCalibration(known, null, frame)).toBe(known);
  expect(validCalibration(known, at(80_000), frame)).toBe(known);
  expect(validCalibration(known, at(100_000), frame)).toBeNull();
  expect(validCalibration(undefined, null, frame)).toBeNull();
});

test('a calibration holds from its own frame on, and not for one from before it', () => {
  expect(validCalibration(known, null, at(90_000))).toBe(known);
  expect(validCalibration(known, null, at(89_999))).toBeNull();
});

test('neither an interruption nor a frame is taken for a later one when hours have made the timestamps come round', () => {
  for (let hours = 1; hours <= 12; hours += 1) {
    const later = at(90_000 + hours * 3600 * 90_000);
    expect(validCalibration(known, null, later), `a frame ${hours} h later`).toBe(known);
    expect(validCalibration(known, later, at(later.rtpTimestamp + 90_000)), `an interruption ${hours} h later`).toBeNull();
  }
});

test('no digit is claimed that a field has not', () => {
  expect([3.14159, 99.94, 123.6].map(sayMillimetres)).toEqual(['3.1', '99.9', '124']);
});
