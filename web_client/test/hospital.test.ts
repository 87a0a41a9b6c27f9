import { describe, expect, it } from 'vitest';
import { deedsOf, dicomDate, HospitalApi, HospitalError, imagesOf, isUnderWay, type CopyPreview, type FetchJob, type SendJob } from '../src/hospital';

const FETCH: FetchJob = {
  job: 'f-1', kind: 'fetch', by: 'A', time: 0, description: '', state: 'running', message: '', done: 0, total: 1, refused: 0,
};
const SEND: SendJob = { job: 's-1', kind: 'send', by: 'A', time: 0, state: 'waiting', message: '', done: 0, total: 1, objects: [] };

function answering(status: number, body: unknown): { api: HospitalApi; asked: { url: string; init: RequestInit }[] } {
  const asked: { url: string; init: RequestInit }[] = [];
  const api = new HospitalApi('secret', (url, init) => {
    asked.push({ url: String(url), init: init ?? {} });
    return Promise.resolve(new Response(status === 204 ? null : JSON.stringify(body), { status }));
  });
  return { api, asked };
}

describe('the hospital', () => {
  it('says what is looked for in the body and never in the address', async () => {
    const { api, asked } = answering(200, { studies: [], more: false });
    await api.search({ patient_id: '4711', name: 'Müller', accession: '', date: '', modality: '' });
    expect(asked[0]?.url).toBe('/api/hospital/search');
    expect(JSON.parse(String(asked[0]?.init.body))).toMatchObject({ patient_id: '4711', name: 'Müller' });
    expect(asked[0]?.init.headers).toMatchObject({ Authorization: 'Bearer secret' });
  });

  it('gives what was refused with its code', async () => {
    const { api } = answering(502, { code: 'pacs_away', message: 'The PACS cannot be reached.' });
    await expect(api.worklist('20261129')).rejects.toEqual(new HospitalError(502, 'pacs_away', 'The PACS cannot be reached.'));
  });

  it('takes an answer without a body, and a server that is away', async () => {
    const { api, asked } = answering(204, null);
    await api.act('s-1/../x', 'retry');
    expect(asked[0]?.url).toBe('/api/hospital/jobs/s-1%2F..%2Fx');
    const away = new HospitalApi('secret', () => Promise.reject(new TypeError('failed')));
    await expect(away.preview()).rejects.toMatchObject({ status: 0, code: 'server_away' });
  });

  it('offers for each state what can be done', () => {
    expect(deedsOf(FETCH)).toEqual(['cancel']);
    expect(deedsOf({ ...FETCH, state: 'failed' })).toEqual(['dismiss']);
    expect(deedsOf(SEND)).toEqual(['retry', 'cancel']);
    expect(deedsOf({ ...SEND, state: 'refused' })).toEqual(['retry', 'dismiss']);
    expect(deedsOf({ ...SEND, state: 'done' })).toEqual(['dismiss']);
    expect([FETCH, SEND, { ...SEND, state: 'done' as const }].map(isUnderWay)).toEqual([true, true, false]);
  });

  it('writes days as DICOM does', () => {
    expect(dicomDate('2026-11-29')).toBe('20261129');
    expect(dicomDate('')).toBe('');
  });

  it('counts a picture in which words may stand only if it was ticked itself', () => {
    const series = { study: 's', modality: 'US', number: 1, description: '', marks: 0 };
    const warned = ['w1', 'w2'].map((picture) => ({ picture, why: 'ultrasound', marks: 0, frames: 1 }));
    const preview: CopyPreview = {
      patient: null, stills: [], texts: [], left_out: [],
      series: [{ ...series, series: 'a', images: 3, pictures: warned }, { ...series, series: 'b', images: 5, pictures: [] }],
    };
    expect(imagesOf(preview, new Set(['a', 'b']), new Set())).toBe(6);
    expect(imagesOf(preview, new Set(['a']), new Set(['w2']))).toBe(2);
    expect(imagesOf(preview, new Set(), new Set(['w1', 'w2']))).toBe(0);
  });

  it('asks for a copy in the body, and gives where it is saved from', async () => {
    const { api, asked } = answering(201, { copy: '/api/hospital/copies/0' });
    const choice = { want: ['report' as const], series: ['2.25.1'], pictures: [], stills: [], texts: ['t-1'], dates: 'moved' as const, characteristics: true, patient: 'p-1' };
    expect(await api.copy(choice)).toBe('/api/hospital/copies/0');
    expect([asked[0]?.url, JSON.parse(String(asked[0]?.init.body))]).toEqual(['/api/hospital/copy', choice]);
  });

  it('fetches annotations with the token in a header', async () => {
    const { api, asked } = answering(200, { items: [] });
    expect(JSON.parse(await (await api.annotations()).text())).toEqual({ items: [] });
    expect(asked[0]).toMatchObject({ url: '/api/hospital/annotations', init: { method: 'GET', headers: { Authorization: 'Bearer secret' } } });
  });
});
