import { expect, test } from 'vitest';
import { en } from '../src/words/en';
import { dicom } from '../src/words/en/dicom';
import { guidance } from '../src/words/en/guidance';
import { hospital } from '../src/words/en/hospital';
import { marks } from '../src/words/en/marks';
import { talk } from '../src/words/en/talk';
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
  for (const [key, words] of [dicom, guidance, hospital, marks, talk].flatMap((area) => Object.entries(area))) {
    expect([key, isKey(key) ? en[key] : '']).toEqual([key, words]);
  }
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
