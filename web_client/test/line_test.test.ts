import { expect, test } from 'vitest';
import { EchoCounter } from '../src/linetest/echo';
import { measureTransfer, onlyBy, Refusal } from '../src/linetest/line_test';
import { asText, judge, type Findings } from '../src/linetest/verdict';

const good: Findings = {
  ways: { udp: { state: 'reachable', ms: 80 }, tcp: { state: 'blocked' }, turn: { state: 'not_offered' } },
  where: { udp: ['192.0.2.10:8443'], tcp: ['192.0.2.10:8080'], turn: ['turn:192.0.2.20:3478'] },
  quality: { delay: 30, jitter: 2, loss: 0 },
  down: { value: 60, capped: false },
  up: { value: 25, capped: false },
  failure: null,
};
const keys = (findings: Findings): string[] => judge(findings).says.map(({ key }) => key);
const asks = (findings: Findings): string[] => judge(findings).asks.map(({ key }) => key);

test('a good line is called fit for 4K, and nothing is asked of anybody', () => {
  expect(judge(good).title.key).toBe('linetest_verdict_good');
  expect(keys(good)).toEqual(['linetest_say_udp', 'linetest_say_down_4k', 'linetest_say_up_4k']);
  expect(asks(good)).toEqual(['linetest_ask_nothing']);
});

test('without UDP the best way left is named, and the ports to be opened in order', () => {
  const tcp: Findings = { ...good, ways: { udp: { state: 'blocked' }, tcp: { state: 'reachable', ms: 90 }, turn: { state: 'blocked' } } };
  expect(judge(tcp).grade).toBe('limited');
  expect(keys(tcp)[0]).toBe('linetest_say_tcp');
  expect(judge(tcp).asks).toEqual([
    { key: 'linetest_ask_udp', values: { where: '192.0.2.10:8443' } },
    { key: 'linetest_ask_turn', values: { where: 'turn:192.0.2.20:3478' } },
  ]);
});

test('where nothing passes the line is bad, however fast', () => {
  const none: Findings = { ...good, ways: { udp: { state: 'blocked' }, tcp: { state: 'blocked' }, turn: { state: 'credentials' } } };
  expect(judge(none).grade).toBe('bad');
  expect(keys(none).slice(0, 2)).toEqual(['linetest_say_none', 'linetest_say_refused']);
  expect(asks(none)).toEqual(['linetest_ask_udp', 'linetest_ask_tcp']);
});

test.each([
  [{ down: { value: 24, capped: false } }, 'linetest_say_down_hd'],
  [{ down: { value: 7.9, capped: false } }, 'linetest_say_down_low'],
  [{ up: { value: 19, capped: false } }, 'linetest_say_up_hd'],
  [{ up: { value: 5, capped: false } }, 'linetest_say_up_face'],
  [{ up: { value: 1, capped: false } }, 'linetest_say_up_low'],
  [{ quality: { delay: 201, jitter: 2, loss: 0 } }, 'linetest_say_delay'],
  [{ quality: { delay: 30, jitter: 31, loss: 0 } }, 'linetest_say_jitter'],
  [{ quality: { delay: 30, jitter: 2, loss: 1.1 } }, 'linetest_say_loss'],
])('what is short is said: %o', (short, key) => {
  expect(keys({ ...good, ...short })).toContain(key);
});

test('who only watches need not send 4K for the line to be good', () => {
  expect(judge({ ...good, up: { value: 2, capped: false } }).grade).toBe('good');
});

test('a test that the server refused says so, and judges nothing', () => {
  const refused = judge({ ...good, failure: 'This link has expired.' });
  expect(refused.grade).toBe('unknown');
  expect(refused.says).toEqual([{ key: 'linetest_server_says', values: { message: 'This link has expired.' } }]);
});

test('the text for IT is in both languages, the one chosen first, with every port', () => {
  const text = asText({ ...good, ways: { udp: { state: 'blocked' } } }, 'zh', '2026-11-29 07:00', 'https://konsil.example.org');
  expect(text.indexOf('网络连接测试')).toBeLessThan(text.indexOf('Test of the connection'));
  expect(text).toContain('Please permit outgoing UDP to 192.0.2.10:8443');
  expect(text).toContain('请允许到 192.0.2.10:8443 的出站 UDP');
  expect(text).not.toMatch(/[{}]/);
});

test('echoes make delay, jitter and loss; repeats and inventions count for nothing', () => {
  const counter = new EchoCounter();
  expect(counter.quality).toBeNull();
  for (const at of [0, 20, 40, 60]) counter.handleSend(at);
  counter.handleEcho(0, 10);
  counter.handleEcho(1, 40);
  counter.handleEcho(1, 900);
  counter.handleEcho(99, 50);
  counter.handleEcho(Number.NaN, 50);
  counter.handleEcho(3, 70);
  expect(counter.quality).toEqual({ delay: 10, jitter: 10, loss: 25 });
});

test('an answer is cut down to one protocol', () => {
  const candidate = (protocol: string, host: string): string => `a=candidate:1 1 ${protocol} 9 ${host} 8443 typ host`;
  const sdp = ['v=0', candidate('udp', '192.0.2.10'), candidate('tcp', '192.0.2.10'), candidate('udp', '2001:db8::1'), ''].join('\r\n');
  expect(onlyBy('udp', sdp)).toEqual({
    sdp: ['v=0', candidate('udp', '192.0.2.10'), candidate('udp', '2001:db8::1'), ''].join('\r\n'),
    where: ['192.0.2.10:8443', '[2001:db8::1]:8443'],
  });
  expect(onlyBy('tcp', 'v=0\r\n').where).toEqual([]);
});

/** A line on which one piece of 250 kB takes so many ms, however many are under way, until the budget is spent. */
function line(milliseconds: number, budget = Infinity): { move: () => Promise<number>; now: () => number } {
  let moved = 0;
  return {
    move: () => {
      moved += 1;
      return moved > budget ? Promise.reject(new Refusal('Spent.')) : Promise.resolve(250_000);
    },
    now: () => moved * milliseconds,
  };
}

test('what goes side by side is counted once and whole', async () => {
  const { move, now } = line(20);
  expect(await measureTransfer(move, now)).toEqual({ value: 100, capped: false });
});

test('on a slow line one piece is measure enough, a spent budget is said', async () => {
  const slow = line(4000);
  expect(await measureTransfer(slow.move, slow.now)).toEqual({ value: 0.5, capped: false });
  const spent = line(20, 41);
  const found = await measureTransfer(spent.move, spent.now);
  expect(found?.capped).toBe(true);
  expect(found?.value).toBeGreaterThan(80);
  expect(await measureTransfer(line(1, 0).move, line(1).now)).toBeNull();
});
