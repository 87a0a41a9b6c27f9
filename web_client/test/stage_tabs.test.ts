import { describe, expect, it } from 'vitest';
import { STAGE_TABS, stepTab, tabOfKey } from '../src/ui/stage_tabs';

describe('the stage', () => {
  it('steps round in a ring, both ways', () => {
    expect(STAGE_TABS.map((tab) => stepTab(tab, 1))).toEqual(['images', 'board', 'field']);
    expect(STAGE_TABS.map((tab) => stepTab(tab, -1))).toEqual(['board', 'field', 'images']);
  });

  it('goes where a key says, and back to the field by the same key', () => {
    expect(tabOfKey('o', 'field')).toBe('images');
    expect(tabOfKey('o', 'images')).toBe('field');
    expect(tabOfKey('b', 'images')).toBe('board');
    expect(tabOfKey('b', 'board')).toBe('field');
    expect(tabOfKey('[', 'field')).toBe('board');
    expect(tabOfKey(']', 'field')).toBe('images');
    expect(tabOfKey('x', 'field')).toBeNull();
  });
});
