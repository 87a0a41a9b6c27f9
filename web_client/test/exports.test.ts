import { expect, test } from 'vitest';
import { CAREFUL, cuesOf, ExportRefused, ExportsApi, isFace, isUnderWay, LOOKS, oneCamera, mayExport, rangeOf, readTime, requestOf, writeTime, type Choice } from '../src/replay/exports';
import type { Camera } from '../src/replay/description';
import { exports as en } from '../src/words/en/exports';
import { exports as zh } from '../src/words/zh/exports';

const CHOICE: Choice = {
  kind: 'composed', from: 0, to: null, cameras: [], names: true, marks: false, pointers: true, sound: true, title: true,
  height: 1080, language: 'zh', bookmarks: [], careful: CAREFUL,
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

test('a DICOM film is the patient’s or nobody’s, and only nobody’s has dates and masks', () => {
  const mask = { producer: 7, x: 0.1, y: 0.2, width: 0.3, height: 0.4 };
  const careful = { ...CAREFUL, camera: 7, lines: 2160, send: true, masks: [mask, { ...mask, producer: 9 }] } as const;
  expect(requestOf({ ...CHOICE, kind: 'dicom' })).toEqual({ kind: 'dicom', options: { height: 0, sound: false, send: false } });
  expect(requestOf({ ...CHOICE, kind: 'dicom', from: 2, to: 3, careful: { ...careful, masks: [...careful.masks] } }).options).toEqual({ from: 2, to: 3, producers: [7], height: 2160, sound: false, send: true });
  expect(requestOf({ ...CHOICE, kind: 'dicom', careful: { ...careful, masks: [...careful.masks], deidentified: true, dates: 'moved' } }).options).toEqual({
    producers: [7], height: 2160, sound: false, deidentified: true, dates: 'moved', masks: [mask],
  });
});

test('a teaching copy has no names, and voices and words only where somebody wants them', () => {
  const mask = { producer: 9, x: 0, y: 0, width: 1, height: 0.1 };
  const usual = requestOf({ ...CHOICE, kind: 'teaching', cameras: [7] });
  expect(usual).toEqual({
    kind: 'teaching', options: { producers: [7], view: 'composed', marks: false, pointers: true, sound: false, texts: false, height: 1080, language: 'zh' },
  });
  const careful = { ...CAREFUL, view: 'camera' as const, camera: 9, voices: true, texts: true, masks: [mask, { ...mask, producer: 7 }] };
  expect(requestOf({ ...CHOICE, kind: 'teaching', cameras: [7], careful }).options).toEqual({
    producers: [9], view: 'camera', sound: true, texts: true, height: 1080, language: 'zh', masks: [mask],
  });
  const seen = [{ producer: 3, source: 'camera' }, { producer: 9, source: 'field' }, { producer: 7, source: 'field' }] as Camera[];
  expect([null, 3, 99].map((camera) => oneCamera(seen, { ...CAREFUL, camera })?.producer)).toEqual([9, 3, 9]);
  expect(oneCamera([], CAREFUL)).toBeUndefined();
  expect([{ source: 'camera' } as const, { source: 'field' } as const].map(isFace)).toEqual([true, false]);
});

test('all words of a copy are read before it is let out', async () => {
  const vtt = 'WEBVTT\n\n1\n00:00:01.000 --> 00:00:05.000\n<v Expert 1>[text] a &lt; b &amp; c\n\n2\n00:01:02.500 --> 00:01:03.000\ncut here\nand there\n';
  expect(cuesOf(vtt)).toEqual([
    { at: '00:00:01', voice: 'Expert 1', text: '[text] a < b & c' },
    { at: '00:01:02', voice: '', text: 'cut here and there' },
  ]);
  expect(cuesOf('WEBVTT\n')).toEqual([]);
  const asked: [string, RequestInit][] = [];
  const api = new ExportsApi('a.b.c', 'r', (url, init) => {
    asked.push([url, init]);
    return Promise.resolve(url.endsWith('.vtt') ? new Response(vtt) : new Response(null, { status: 204 }));
  });
  expect(await api.read('e-1', 'captions.vtt')).toBe(vtt);
  await api.signOff('e-1');
  expect([asked[1]?.[0], asked[1]?.[1].method, JSON.parse(String(asked[1]?.[1].body))]).toEqual(['/api/exports/e-1/sign-off', 'POST', { looked_at: [...LOOKS] }]);
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
  await expect(api.begin(CHOICE)).rejects.toMatchObject({ status: 400, code: 'bad_request', message: 'A clip has an end.' });
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
  const job = { export: 'e-1', kind: 'camera', asked: 0, progress: 0, seconds_left: null, files: [], error: '', code: '' };
  expect((['waiting', 'running', 'done', 'failed'] as const).map((state) => isUnderWay({ ...job, state }))).toEqual([true, true, false, false]);
});

test('both languages have every word', () => {
  expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
});
