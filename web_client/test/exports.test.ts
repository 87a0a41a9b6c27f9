import { expect, test } from 'vitest';
import { ExportRefused, ExportsApi, isUnderWay, mayExport, rangeOf, readTime, requestOf, writeTime, type Choice } from '../src/replay/exports';
import { exports as en } from '../src/words/en/exports';
import { exports as zh } from '../src/words/zh/exports';

const CHOICE: Choice = {
  kind: 'composed', from: 0, to: null, cameras: [], names: true, marks: false, pointers: true, sound: true, title: true,
  height: 1080, language: 'zh', bookmarks: [],
};

test('times are read as people write them, and written as they are read', () => {
  for (const [typed, seconds] of [['0', 0], ['7.5', 7.5], ['1:05', 65], ['1:02:03', 3723], ['１：０２', 62], ['2,5', 2.5], [' 3 ', 3]] as const) {
    expect([typed, readTime(typed)]).toEqual([typed, seconds]);
  }
  for (const typed of ['', 'a', '1:60', '1:2:3:4', '-1', '1:-2', '1e3', ':5']) expect([typed, readTime(typed)]).toEqual([typed, null]);
  for (const seconds of [0, 0.1, 9.9, 59.9, 60, 61.5, 3599.9, 3600, 7325.4]) expect(readTime(writeTime(seconds))).toBeCloseTo(seconds, 5);
  expect(writeTime(59.96)).toBe('1:00');
});

test('a request bears what its kind knows and nothing else', () => {
  expect(requestOf(CHOICE)).toEqual({
    kind: 'composed',
    options: { names: true, marks: false, pointers: true, sound: true, title: true, height: 1080, language: 'zh' },
  });
  const part = { ...CHOICE, from: 2, to: 9.5, cameras: [7], bookmarks: [{ at: 3, text: 'Hilum' }] };
  expect(requestOf({ ...part, kind: 'camera' })).toEqual({ kind: 'clip', options: { from: 2, to: 9.5, producers: [7], sound: true } });
  expect(requestOf({ ...CHOICE, kind: 'camera' })).toEqual({ kind: 'camera', options: { sound: true } });
  expect(requestOf({ ...part, kind: 'captions' }).options).toEqual({ from: 2, to: 9.5, names: true, language: 'zh', bookmarks: part.bookmarks });
  expect(requestOf({ ...part, kind: 'annotations' }).options).toEqual({ from: 2, to: 9.5, names: true, language: 'zh' });
});

test('what the server says comes to whoever asked', async () => {
  const asked: [string, RequestInit][] = [];
  let answer = new Response('[]');
  const api = new ExportsApi('a.b.c', '20261122-101500-demo-3f9a', (url, init) => {
    asked.push([url, init]);
    return Promise.resolve(answer);
  });
  expect(await api.list()).toEqual([]);
  expect(asked[0]?.[0]).toBe('/api/exports?recording=20261122-101500-demo-3f9a');
  expect(new Headers(asked[0]?.[1].headers).get('Authorization')).toBe('Bearer a.b.c');
  answer = new Response('{"code":"bad_request","message":"A clip has an end."}', { status: 400 });
  await expect(api.begin(CHOICE)).rejects.toThrow('A clip has an end.');
  expect(JSON.parse(String(asked[1]?.[1].body))).toMatchObject({ recording: '20261122-101500-demo-3f9a', kind: 'composed' });
  answer = new Response('', { status: 404 });
  expect(await api.notes()).toEqual([]);
  const away = new ExportsApi('', '', () => Promise.reject(new TypeError('network')));
  await expect(away.remove('e-1')).rejects.toBeInstanceOf(ExportRefused);
  expect(api.fileAddress('e-1', 'film.mp4')).toBe('/api/exports/e-1/film.mp4');
});

test('what is repeated is the part that is likely meant', () => {
  expect(rangeOf({ from: 2, until: 5, on: true })).toEqual({ from: 2, to: 5 });
  for (const range of [{ from: null, until: 5, on: true }, { from: 2, until: null, on: true }, { from: 2, until: 5, on: false }]) expect(rangeOf(range)).toBeNull();
});

test('only surgeon and chair are offered it', () => {
  expect((['surgeon', 'chair', 'expert', 'trainee', 'observer'] as const).map(mayExport)).toEqual([true, true, false, false, false]);
});

test('what waits or runs can be cancelled', () => {
  const job = { export: 'e-1', kind: 'camera', asked: 0, progress: 0, seconds_left: null, files: [], error: '' };
  expect((['waiting', 'running', 'done', 'failed'] as const).map((state) => isUnderWay({ ...job, state }))).toEqual([true, true, false, false]);
});

test('both languages have every word', () => {
  expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
});
