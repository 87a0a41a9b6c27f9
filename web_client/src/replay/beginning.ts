/** Where a replay begins: with the first picture that there is, and never with one of another moment. */
import type { Camera } from './description';

/** The field is waited for so long: before it only faces were seen. */
const FIELD_PATIENCE_S = 30;
/** A picture that comes sooner is not worth a word. */
const SOON_S = 1;
/** Behind the first frame's own time, since containers round it. */
export const WITHIN_FRAME_S = 0.002;

/** When a camera has its first picture: its sound may begin before. */
export function pictureBegins(camera: Camera): number {
  return camera.offset + (camera.picture_at ?? 0);
}

export interface Beginning {
  /** The large camera; -1: there is no picture at all. */
  main: number;
  /** Where the replay opens. */
  position: number;
  /** When the first picture comes, where that is worth saying; null: at once. */
  later: number | null;
}

/** The field if it comes soon, else the first picture that there is. */
export function beginningOf(cameras: readonly Camera[]): Beginning {
  const pictures = cameras.flatMap((camera, index) => (camera.source === 'microphone' ? [] : [{ index, camera, at: pictureBegins(camera) }]));
  const earliest = (all: typeof pictures): (typeof pictures)[number] | undefined => all.toSorted((a, b) => a.at - b.at)[0];
  const first = earliest(pictures);
  if (first === undefined) return { main: -1, position: 0, later: null };
  const field = earliest(pictures.filter(({ camera }) => camera.source === 'field'));
  const main = field !== undefined && field.at - first.at <= FIELD_PATIENCE_S ? field : first;
  return { main: main.index, position: main.at + WITHIN_FRAME_S, later: main.at >= SOON_S ? main.at : null };
}
