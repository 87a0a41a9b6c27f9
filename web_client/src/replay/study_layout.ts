/** How a recording's pictures are laid out: one large with the others beside it, two side by side, all alike, or one alone. */

export const PICTURE_LAYOUTS = ['large', 'pair', 'grid', 'only'] as const;
export type PictureLayout = (typeof PICTURE_LAYOUTS)[number];

/** A part of the stage, in fractions of it. */
export interface Place {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Arrangement {
  /** The large ones, by their cameras. */
  large: ReadonlyMap<number, Place>;
  /** Those that stand small beside them, in order. */
  beside: readonly number[];
}

/**
 * Lay out the pictures (numbers of cameras). `main` is always among the large ones; so is the one that is `pinned`,
 * before it, where more than one is large: choosing another picture does not push it away.
 */
export function arrange(pictures: readonly number[], layout: PictureLayout, main: number, pinned: number | null): Arrangement {
  const held = pinned !== null && pinned !== main && pictures.includes(pinned) ? [pinned] : [];
  const first = [...held, ...(pictures.includes(main) ? [main] : [])];
  const others = pictures.filter((picture) => !first.includes(picture));
  if (layout === 'grid') return { large: placed([...first, ...others]), beside: [] };
  if (layout === 'only') return { large: placed(first.slice(-1)), beside: [] };
  const large = layout === 'pair' ? [...first, ...others].slice(0, 2) : first;
  return { large: placed(large), beside: pictures.filter((picture) => !large.includes(picture)) };
}

function placed(pictures: readonly number[]): Map<number, Place> {
  const columns = Math.ceil(Math.sqrt(pictures.length));
  const rows = Math.ceil(pictures.length / Math.max(1, columns));
  return new Map(
    pictures.map((picture, index) => [picture, { x: (index % columns) / columns, y: Math.floor(index / columns) / rows, width: 1 / columns, height: 1 / rows }]),
  );
}
