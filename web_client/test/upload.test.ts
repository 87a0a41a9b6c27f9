import { expect, test } from 'vitest';
import { SendError, Uploads, type Offered, type Send, type Verdict } from '../src/dicom/upload';
import { settled } from './fakes/peer';

const file = (name: string, size = 10): Offered => ({ name, data: new Blob([new Uint8Array(size)]) });

/** A server that answers when it is told to. */
class FakeServer {
  under: { file: Offered; tell: (sent: number) => void; answer: (verdicts: Verdict[]) => void; fail: (error: Error) => void }[] = [];

  readonly send: Send = (of, tell, signal) =>
    new Promise((answer, fail) => {
      const request = { file: of, tell, answer, fail };
      this.under.push(request);
      signal.addEventListener('abort', () => fail(new DOMException('', 'AbortError')));
    });

  async take(...verdicts: Partial<Verdict>[]): Promise<void> {
    const request = this.under.shift()!;
    request.answer(verdicts.map((verdict) => ({ name: request.file.name, taken: true, ...verdict })));
    await settled();
  }
}

test('two files are under way at a time, and each is answered with what became of it', async () => {
  const server = new FakeServer();
  const uploads = new Uploads(server.send);
  uploads.add([file('a'), file('b'), file('c')]);
  expect(server.under.map(({ file: { name } }) => name)).toEqual(['a', 'b']);
  server.under[0]!.tell(4);
  expect(uploads.progress).toMatchObject({ running: true, files: 3, bytes: 30, sent: 4, done: 0 });
  await server.take({});
  expect(server.under.map(({ file: { name } }) => name)).toEqual(['b', 'c']);
  await server.take({ again: true });
  await server.take({ name: 'c/1' }, { name: 'c/2', taken: false, message: 'This is no DICOM file.' });
  expect(uploads.progress).toMatchObject({ running: false, done: 3, sent: 30, taken: 2, again: 1 });
  expect(uploads.progress.refused).toEqual([{ name: 'c/2', message: 'This is no DICOM file.', code: '', unsent: false }]);
});

test('what did not arrive is said, and sent again when that is wanted', async () => {
  const server = new FakeServer();
  const uploads = new Uploads(server.send);
  uploads.add([file('a'), file('b')]);
  server.under.shift()!.fail(new SendError(507, 'disk_full', "The server's disk is full."));
  await settled();
  await server.take({});
  expect(uploads.progress.refused).toEqual([{ name: 'a', message: "The server's disk is full.", code: 'disk_full', unsent: true }]);
  uploads.retry();
  expect(uploads.progress).toMatchObject({ files: 1, refused: [] });
  await server.take({});
  expect(uploads.progress).toMatchObject({ running: false, taken: 1 });
});

test('canceled, nothing more is sent, and that is no failure', async () => {
  const server = new FakeServer();
  const uploads = new Uploads(server.send);
  uploads.add([file('a'), file('b'), file('c')]);
  await server.take({});
  uploads.cancel();
  await settled();
  expect(uploads.progress).toMatchObject({ running: false, canceled: true, taken: 1, refused: [] });
  expect(server.under.map(({ file: { name } }) => name)).not.toContain('d');
  uploads.add([file('d')]);
  expect(uploads.progress).toMatchObject({ files: 1, canceled: false, taken: 0 });
  await server.under.at(-1)!.answer([{ name: 'd', taken: true }]);
  await settled();
  expect(uploads.progress.taken).toBe(1);
  uploads.dismiss();
  expect(uploads.progress.files).toBe(0);
});

test('each file is answered with what became of it, what needs a look first', async () => {
  const server = new FakeServer();
  const uploads = new Uploads(server.send);
  uploads.add([file('a'), file('b'), file('c')]);
  await server.take({ withheld: '' });
  await server.take({ withheld: 'ultrasound' });
  await server.take({ taken: false, code: 'incomplete', detail: 'pixels_cut_off', message: 'It is cut off.' });
  expect(uploads.progress).toMatchObject({ taken: 2, withheld: 1 });
  expect(uploads.progress.outcomes).toEqual([
    { name: 'b', kind: 'withheld', code: 'ultrasound', detail: '', message: '' },
    { name: 'c', kind: 'refused', code: 'incomplete', detail: 'pixels_cut_off', message: 'It is cut off.' },
    { name: 'a', kind: 'taken', code: '', detail: '', message: '' },
  ]);
});

test('of a thousand slices that are simply there not all are listed, and all are counted', async () => {
  const server = new FakeServer();
  const uploads = new Uploads(server.send);
  uploads.add([file('zip')]);
  await server.take(...Array.from({ length: 1000 }, (_, at) => ({ name: `${at}` })), { name: 'letter', taken: false, code: 'not_dicom', message: '' });
  expect(uploads.progress.taken).toBe(1000);
  expect(uploads.progress.outcomes).toHaveLength(501);
  expect(uploads.progress.outcomes[0]).toMatchObject({ name: 'letter', kind: 'refused' });
});
