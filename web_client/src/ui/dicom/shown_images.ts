/** What each pane shows at this moment: `window.konsil.images` reads it. */
export interface ShownImage {
  /** The room's UID of the instance; empty for a cut. */
  instance: string;
  frame: number;
  at: number;
  count: number;
  plane: string;
  /** From fractions of the image to CSS pixels of the pane. */
  matrix: number[];
  window: [number, number] | null;
  /** It stands in for the image, which is on its way. */
  preview: boolean;
  /** Of a cut: frames that are there. */
  loaded: number;
  /** `performance.now()` of the page. */
  drawnAt: number;
}

export const shownImages = new Map<string, ShownImage>();
