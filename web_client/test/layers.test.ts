import { expect, test } from 'vitest';
import { Layers } from '../src/annotation/layers';

test('whoever is not hidden is shown, newcomers too', () => {
  const layers = new Layers();
  layers.setShown('a', false);
  expect(['a', 'b'].map((author) => layers.isShown(author))).toEqual([false, true]);
  layers.setShown('a', true);
  expect(layers.isShown('a')).toBe(true);
});

test('one alone hides all others, and afterwards all is as before', () => {
  const layers = new Layers();
  layers.setShown('c', false);
  layers.toggleSolo('a');
  expect(['a', 'b', 'c'].map((author) => layers.isShown(author))).toEqual([true, false, false]);
  layers.toggleSolo('a');
  expect(['a', 'b', 'c'].map((author) => layers.isShown(author))).toEqual([true, true, false]);
});

test('how many of those that bear marks are hidden is counted by person', () => {
  const layers = new Layers();
  layers.setShown('a', false);
  layers.setShown('nobody', false);
  expect(layers.hiddenOf(['a', 'a', 'b'])).toBe(1);
  layers.toggleSolo('c');
  expect(layers.hiddenOf(['a', 'a', 'b'])).toBe(2);
});

test('showing all shows all, and says so once', () => {
  const layers = new Layers();
  let said = 0;
  layers.on('changed', () => (said += 1));
  layers.setShown('a', false);
  layers.toggleSolo('b');
  layers.showAll();
  layers.showAll();
  expect([layers.isShown('a'), layers.solo, said]).toEqual([true, null, 3]);
});

test('choosing one to be shown while another is alone ends that', () => {
  const layers = new Layers();
  layers.toggleSolo('a');
  layers.setShown('b', true);
  expect(['a', 'b', 'c'].map((author) => layers.isShown(author))).toEqual([true, true, true]);
});
