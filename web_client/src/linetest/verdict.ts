/** What the figures of a line test mean, in words: for the person who is to join, and for the hospital's IT. */
import type { Key } from '../words/en';
import { CATALOGUES, fill, type Language, type Values } from '../words/words';

export type WayName = 'udp' | 'tcp' | 'turn';
export type WayResult =
  | { state: 'reachable'; ms: number }
  | { state: 'blocked' | 'not_offered' | 'credentials' };

export interface Quality {
  /** Of one round trip, ms. */
  delay: number;
  /** Mean change from one packet to the next, ms. */
  jitter: number;
  /** Percent. */
  loss: number;
}

/** Mbit/s; `capped`: the server's budget ended the measuring, so it is at least this. */
export interface Bandwidth {
  value: number;
  capped: boolean;
}

export interface Findings {
  ways: Readonly<Partial<Record<WayName, WayResult>>>;
  /** Where each way leads, as host:port or a TURN URL. */
  where: Readonly<Record<WayName, readonly string[]>>;
  quality: Quality | null;
  down: Bandwidth | null;
  up: Bandwidth | null;
  /** What kept the test from being carried out, in the server's words. */
  failure: string | null;
}

export type Grade = 'good' | 'limited' | 'bad' | 'unknown';

export interface Sentence {
  key: Key;
  values: Values;
}

export interface Verdict {
  grade: Grade;
  title: Sentence;
  says: Sentence[];
  asks: Sentence[];
}

/** Mbit/s: a 4K field takes 20 and the faces beside it 5; HD, and a face, as the publisher's bounds have them. */
const DOWN = { field4k: 25, fieldHd: 8 };
const UP = { field4k: 20, fieldHd: 6, face: 1.5 };
/** A delay is ideal up to 200 ms, and pointing is felt to lag above; ms and percent. */
const LIMITS = { delay: 200, jitter: 30, loss: 1 };
const ALARMS = { delay: 500, jitter: 100, loss: 5 };

const say = (key: Key, values: Values = {}): Sentence => ({ key, values });
const open = (way: WayResult | undefined): boolean => way?.state === 'reachable';

export function gradeWay(way: WayResult | undefined): Grade {
  if (way === undefined || way.state === 'not_offered') return 'unknown';
  return way.state === 'reachable' ? 'good' : 'bad';
}

export function gradeFigure(figure: 'delay' | 'jitter' | 'loss', value: number | undefined): Grade {
  if (value === undefined) return 'unknown';
  return value <= LIMITS[figure] ? 'good' : value <= ALARMS[figure] ? 'limited' : 'bad';
}

export function gradeBandwidth(direction: 'down' | 'up', bandwidth: Bandwidth | null): Grade {
  if (bandwidth === null) return 'unknown';
  const [best, least] = direction === 'down' ? [DOWN.field4k, DOWN.fieldHd] : [UP.field4k, UP.face];
  return bandwidth.value >= best ? 'good' : bandwidth.value >= least ? 'limited' : 'bad';
}

export function judge(findings: Findings): Verdict {
  const { ways, quality, down, up, failure } = findings;
  if (failure !== null) {
    return { grade: 'unknown', title: say('linetest_verdict_failed'), says: [say('linetest_server_says', { message: failure })], asks: [] };
  }
  const says = [...sayWays(ways), ...sayBandwidth(down, up), ...sayQuality(quality)];
  const passes = open(ways.udp) || open(ways.tcp) || open(ways.turn);
  const grades = [
    gradeWay(ways.udp),
    gradeBandwidth('down', down),
    ...(['delay', 'jitter', 'loss'] as const).map((figure) => gradeFigure(figure, quality?.[figure])),
  ];
  const grade = !passes ? 'bad' : grades.every((each) => each === 'good') ? 'good' : 'limited';
  return { grade, title: say(`linetest_verdict_${grade}`), says, asks: ask(findings) };
}

function sayWays(ways: Findings['ways']): Sentence[] {
  const best = (['udp', 'tcp', 'turn'] as const).find((way) => open(ways[way])) ?? 'none';
  const says = [say(`linetest_say_${best}`)];
  if (ways.turn?.state === 'credentials') says.push(say('linetest_say_refused'));
  return says;
}

function sayBandwidth(down: Bandwidth | null, up: Bandwidth | null): Sentence[] {
  const says: Sentence[] = [];
  if (down !== null) {
    const size = down.value >= DOWN.field4k ? '4k' : down.value >= DOWN.fieldHd ? 'hd' : 'low';
    says.push(say(`linetest_say_down_${size}`, { value: round(down.value) }));
  }
  if (up !== null) {
    const size = up.value >= UP.field4k ? '4k' : up.value >= UP.fieldHd ? 'hd' : up.value >= UP.face ? 'face' : 'low';
    says.push(say(`linetest_say_up_${size}`, { value: round(up.value) }));
  }
  return says;
}

function sayQuality(quality: Quality | null): Sentence[] {
  if (quality === null) return [];
  return (['delay', 'loss', 'jitter'] as const)
    .filter((figure) => gradeFigure(figure, quality[figure]) !== 'good')
    .map((figure) => say(`linetest_say_${figure}`, { value: round(quality[figure]) }));
}

/** The ports to be opened: the best way that is blocked first, and what to do without it. */
function ask({ ways, where }: Findings): Sentence[] {
  if (open(ways.udp)) return [say('linetest_ask_nothing')];
  return (['udp', 'tcp', 'turn'] as const)
    .filter((way) => ways[way]?.state === 'blocked' && where[way].length > 0)
    .map((way) => say(`linetest_ask_${way}`, { where: where[way].join(', ') }));
}

export const round = (value: number): number => (value < 10 ? Math.round(value * 10) / 10 : Math.round(value));

/** Say one way's result. */
export function describeWay(way: WayResult | undefined): Sentence {
  if (way === undefined) return say('linetest_unknown');
  return way.state === 'reachable' ? say('linetest_reachable', { ms: Math.round(way.ms) }) : say(`linetest_${way.state}`);
}

export function describeBandwidth(bandwidth: Bandwidth | null): Sentence {
  if (bandwidth === null) return say('linetest_unknown');
  return say(bandwidth.capped ? 'linetest_at_least' : 'linetest_mbit', { value: round(bandwidth.value) });
}

export function describeFigure(figure: 'delay' | 'jitter' | 'loss', quality: Quality | null): Sentence {
  if (quality === null) return say('linetest_unknown');
  return say(figure === 'loss' ? 'linetest_percent' : 'linetest_ms', { value: round(quality[figure]) });
}

/** The whole result as text to be sent to IT: in the language chosen, then in the other one. */
export function asText(findings: Findings, first: Language, when: string, page: string): string {
  const languages: Language[] = first === 'zh' ? ['zh', 'en'] : ['en', 'zh'];
  return languages.map((language) => describe(findings, language, when, page)).join('\n\n');
}

function describe(findings: Findings, language: Language, when: string, page: string): string {
  const words = (sentence: Sentence): string => fill(CATALOGUES[language][sentence.key], sentence.values);
  const colon = language === 'zh' ? '：' : ': ';
  const row = (key: Key, value: Sentence): string => `${words(say(key))}${colon}${words(value)}`;
  const verdict = judge(findings);
  const lines = [
    `Konsil · ${words(say('linetest_title'))}`,
    words(say('linetest_measured', { when, page })),
    '',
    words(verdict.title),
    ...verdict.says.map((sentence) => `- ${words(sentence)}`),
    '',
    ...(['udp', 'tcp', 'turn'] as const).map((way) => {
      const where = findings.where[way].join(', ');
      return row(`linetest_${way}`, describeWay(findings.ways[way])) + (where === '' ? '' : ` (${where})`);
    }),
    row('linetest_down', describeBandwidth(findings.down)),
    row('linetest_up', describeBandwidth(findings.up)),
    ...(['delay', 'loss', 'jitter'] as const).map((figure) => row(`linetest_${figure}`, describeFigure(figure, findings.quality))),
  ];
  if (verdict.asks.length > 0) lines.push('', words(say('linetest_ask')), ...verdict.asks.map((sentence) => `- ${words(sentence)}`));
  return lines.join('\n');
}
