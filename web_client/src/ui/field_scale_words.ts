/** Lengths on the operating field in words. */
import { fieldLength, sayMillimetres } from '../annotation/field_scale';
import type { Scale } from '../signalling/marks';
import type { Mark } from '../signalling/protocol';
import { t } from '../words/language.svelte';

/** A mark's length in words, by the scale that holds for its frame; null: none does. */
export function sayLength(mark: Mark, scale: Scale | null, picture: { width: number; height: number }): string | null {
  const length = fieldLength(mark, scale, picture);
  if (length === null) return null;
  if (length.unit === 'mm') return t('length_mm', { value: sayMillimetres(length.value) });
  return t('length_px', { value: Math.round(length.value) });
}
