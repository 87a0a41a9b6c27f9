import { expect, test } from 'vitest';
import { ladderOf, layersChosen, layersOffered, rememberLayers } from '../src/media/encodings';

test('a camera and a 4K field are sent in three encodings, the lowest first', () => {
  expect(ladderOf('camera', 720, 'simulcast')).toEqual({
    encodings: [
      { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 135_000 },
      { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 450_000 },
      { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 1_500_000 },
    ],
    heights: [180, 360, 720],
    codec: null,
  });
  const field = ladderOf('field', 2160, 'simulcast');
  expect(field.heights).toEqual([540, 1080, 2160]);
  expect(field.encodings.map(({ maxBitrate }) => maxBitrate)).toEqual([1_800_000, 6_000_000, 20_000_000]);
  expect(field.codec).toBe('H264');
});

test.each([
  [480, [240, 480]],
  [270, [135, 270]],
  [240, [240]],
  [undefined, [180, 360, 720]],
])('a picture of %s lines has encodings of %j', (height, heights) => {
  const ladder = ladderOf('camera', height, 'simulcast');
  expect(ladder.heights).toEqual(heights);
  expect(ladder.encodings.length).toBe(heights.length);
  // a single encoding needs no name
  expect(ladder.encodings.every(({ rid }) => (rid !== undefined) === heights.length > 1)).toBe(true);
});

test('layers within one encoding, or none, can be chosen; sound has none', () => {
  expect(ladderOf('field', 2160, 'av1')).toEqual({
    encodings: [{ maxBitrate: 20_000_000, scalabilityMode: 'L3T3' }],
    heights: [2160],
    codec: 'AV1',
  });
  expect(ladderOf('camera', 720, 'vp9').codec).toBe('VP9');
  expect(ladderOf('camera', 720, 'single').encodings).toEqual([{ maxBitrate: 1_500_000 }]);
  expect(ladderOf('microphone', undefined, 'simulcast')).toEqual({ encodings: [{ maxBitrate: 64_000 }], heights: [], codec: null });
});

test('the choice is kept in the browser; what is not known is simulcast', () => {
  const store = (value: string | null) => ({ getItem: () => value });
  expect([null, 'av1', 'vp9', 'single', 'svc'].map((value) => layersChosen(store(value)))).toEqual(['simulcast', 'av1', 'vp9', 'single', 'simulcast']);
});

test.each([
  [['video/VP8', 'video/VP9', 'video/H264', 'video/AV1', 'video/rtx'], ['video/vp9', 'video/av1'], ['simulcast', 'vp9', 'av1', 'single']],
  [['video/VP8', 'video/VP9', 'video/AV1'], ['video/vp9'], ['simulcast', 'vp9', 'single']],
  // one that encodes in layers but cannot send it, and the other way round
  [['video/VP8', 'video/VP9'], ['video/av1'], ['simulcast', 'single']],
  [[], [], ['simulcast', 'single']],
])('of %j with layers in %j there are offered %j', async (codecs, layered, offered) => {
  const asked: string[] = [];
  const encodes = (type: string, mode: string): Promise<boolean> => {
    asked.push(mode);
    return Promise.resolve((layered as string[]).includes(type));
  };
  expect(await layersOffered({ codecs, encodes })).toEqual(offered);
  expect(new Set(asked)).toEqual(new Set(asked.length > 0 ? ['L3T3'] : []));
});

test('what was chosen is found again', () => {
  const kept = new Map<string, string>();
  const store = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
  for (const layers of ['av1', 'simulcast', 'single', 'vp9'] as const) {
    rememberLayers(store, layers);
    expect(layersChosen(store)).toBe(layers);
  }
});
