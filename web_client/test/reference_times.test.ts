import { expect, test } from 'vitest';
import { askForReferenceTimes } from '../src/media/reference_times';

const answer = 'v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\n';

test('each codec of pictures asks for reference times, once', () => {
  const asking = askForReferenceTimes(answer);
  expect(asking).toContain('a=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 rrtr\r\na=rtpmap:97');
  expect(askForReferenceTimes(asking)).toBe(asking);
});

test('an answer without pictures stays as it is', () => {
  expect(askForReferenceTimes('v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n')).not.toContain('rrtr');
});
