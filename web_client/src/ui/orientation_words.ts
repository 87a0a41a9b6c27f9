/** Which way round a picture is, in words. */
import type { Orientation, Way } from '../signalling/protocol';
import { t } from '../words/language.svelte';

const OPPOSITE: Readonly<Record<Way, Way>> = { L: 'R', R: 'L', A: 'P', P: 'A', H: 'F', F: 'H' };

export interface Edges {
  left: Way | null;
  right: Way | null;
  top: Way | null;
  bottom: Way | null;
}

/** What each edge shows of the patient. */
export function edgesOf(orientation: Orientation): Edges {
  const { row, column } = orientation;
  return { right: row, left: row && OPPOSITE[row], bottom: column, top: column && OPPOSITE[column] };
}

export function sayOrientation(orientation: Orientation | null): string {
  if (orientation === null) return t('orientation_unknown');
  const { right, bottom } = edgesOf(orientation);
  const parts = [
    right === null ? '' : t('edge_right', { way: t(`way_${right}`) }),
    bottom === null ? '' : t('edge_bottom', { way: t(`way_${bottom}`) }),
    orientation.mirrored ? t('mirrored') : '',
  ];
  return parts.filter((part) => part !== '').join(t('list_comma')) || t('orientation_unknown');
}
