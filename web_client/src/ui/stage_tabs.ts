/** What can stand large on the stage, and how the keys step through it. */

/** The operating field with its marks, the room's images, the whiteboard. */
export const STAGE_TABS = ['field', 'images', 'board'] as const;
export type StageTab = (typeof STAGE_TABS)[number];

/** What is said of a tab: in the presenter's colour, whom one follows or has looked away from. */
export interface StageSign {
  kind: 'presents' | 'presenting' | 'following' | 'looking_away';
  words: string;
  colour: string;
}

/** The tab beside one, `by` steps to the right; the row is a ring. */
export function stepTab(from: StageTab, by: number): StageTab {
  const { length } = STAGE_TABS;
  const at = (((STAGE_TABS.indexOf(from) + by) % length) + length) % length;
  return STAGE_TABS[at] ?? from;
}

/** The tab that a key leads to from one; null: it leads to none. O and B go there, and back to the field. */
export function tabOfKey(key: string, from: StageTab): StageTab | null {
  if (key === '[') return stepTab(from, -1);
  if (key === ']') return stepTab(from, 1);
  if (key === 'o') return from === 'images' ? 'field' : 'images';
  if (key === 'b') return from === 'board' ? 'field' : 'board';
  return null;
}
