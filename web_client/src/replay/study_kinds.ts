/** The rows of the time line, from the top. */
export const ROW_KINDS = ['speakers', 'marks', 'instructions', 'stills', 'images', 'notes', 'room', 'alerts'] as const;
export type RowKind = (typeof ROW_KINDS)[number];

/** Events of the room that are no ordinary ones. */
export const GROUPED: Readonly<Record<'alerts' | 'images', ReadonlySet<string>>> = {
  images: new Set(['presenter', 'images_shown']),
  alerts: new Set(['producer_interrupted', 'removed', 'recording_interrupted', 'recording_resumed']),
};
