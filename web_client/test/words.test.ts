import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { en } from '../src/words/en';
import { dicom } from '../src/words/en/dicom';
import { exports } from '../src/words/en/exports';
import { guidance } from '../src/words/en/guidance';
import { hospital } from '../src/words/en/hospital';
import { keeping } from '../src/words/en/keeping';
import { marks } from '../src/words/en/marks';
import { study } from '../src/words/en/study';
import { talk } from '../src/words/en/talk';
import { training } from '../src/words/en/training';
import { CATALOGUES, chooseLanguage, fill, isKey } from '../src/words/words';
import { zh } from '../src/words/zh';

const places = (sentence: string): string[] => [...sentence.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();

test('both catalogues have the same keys and the same places to fill in', () => {
  expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
  for (const key of Object.keys(en)) {
    if (isKey(key)) expect([key, places(zh[key])]).toEqual([key, places(en[key])]);
  }
});

test('no area’s word is taken by another', () => {
  for (const [key, words] of [dicom, exports, guidance, hospital, keeping, marks, study, talk, training].flatMap((area) => Object.entries(area))) {
    expect([key, isKey(key) ? en[key] : '']).toEqual([key, words]);
  }
});

test('the page has words for all that the server says of a job', () => {
  const said = readFileSync(new URL('../../signalling/PROTOCOL.md', import.meta.url), 'utf8');
  const codes = (after: string): string[] => {
    const list = said.slice(said.indexOf(after) + after.length).split(/[;.]/)[0] ?? '';
    return [...list.matchAll(/`(\w+)`/g)].map(([, code]) => code ?? '');
  };
  const problems = codes('a word for pages that have their own:');
  const verdicts = codes('`writing_broke_off`; of an object');
  expect([problems.length, verdicts.length]).toEqual([17, 5]);
  for (const code of problems) expect([code, isKey(`problem_${code}`)]).toEqual([code, true]);
  const failures = codes('where nobody who reads it can do anything about it:');
  expect(failures.length).toBe(17);
  for (const code of failures) expect([code, isKey(`exports_why_${code}`)]).toEqual([code, true]);
  for (const code of verdicts) expect([code, isKey(`verdict_${code}`)]).toEqual([code, true]);
});

test('no sentence is empty', () => {
  for (const catalogue of Object.values(CATALOGUES)) for (const sentence of Object.values(catalogue)) expect(sentence.trim()).not.toBe('');
});

test('the browser’s language counts, a remembered one more', () => {
  expect(chooseLanguage(null, ['de-DE', 'zh-Hans-CN', 'en'])).toBe('zh');
  expect(chooseLanguage(null, ['de-DE'])).toBe('en');
  expect(chooseLanguage('zh', ['en-US'])).toBe('zh');
  expect(chooseLanguage('fr', ['en-US'])).toBe('en');
});

test('values stand in their places', () => {
  expect(fill('{name} has joined {room}', { name: 'Li Wei', room: 3 })).toBe('Li Wei has joined 3');
  expect(fill('{name}', {})).toBe('{name}');
});

/** One word a thing: what is not to be said in Chinese, and what is said for it. */
const ONE_WORD: readonly (readonly [RegExp, string])[] = [
  [/术者|手术医生|主刀医生/, '主刀'],
  [/观察者|观看者/, '观摩者'],
  [/主持者|主席/, '主持人'],
  [/标记|注释/, '标注'],
  [/标定/, '校准'],
  [/房间/, '会诊室'],
  [/直播/, '实时'],
  [/冻结|画面静帧/, '画面停滞，定格（有意保留的一帧）'],
  [/丢失(了)?(的)?组织|组织丢失/, '组织跟踪丢失'],
  [/探针/, '像素值'],
  [/亮度|对比度/, '窗宽窗位'],
  [/图像/, '影像（DICOM），画面（视频）'],
  [/归档系统|PACS/, '影像归档'],
  [/患者号|病历号|病人/, '患者编号，患者'],
  [/毫米/, 'mm'],
  [/角色/, '身份'],
];

test('in Chinese a thing has one word', () => {
  const wrong = Object.entries(zh).flatMap(([key, sentence]) =>
    ONE_WORD.filter(([other]) => other.test(sentence)).map(([, word]) => `${key}: “${sentence}” (${word})`),
  );
  expect(wrong).toEqual([]);
});

test('in Chinese a key and a button say of one thing the same', () => {
  expect(zh.answer_no).toBe('拒绝');
  for (const key of ['help_key_no', 'chapter_answer_no', 'state_of_no', 'instruction_no'] as const) expect(zh[key]).toContain(zh.answer_no);
  expect(zh.frozen).toBe(zh.mode_frozen);
  expect(zh.tool_freehand).toBe(zh.tools_freehand);
  expect(zh.patient_id).toContain(zh.archive_patient_id);
});
