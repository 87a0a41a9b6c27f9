/**
 * What a key does in a pane of images. The arrow keys do what the hand does: who has taken brightness, moving or zooming into the
 * hand needs no mouse for it. Letters of the room's own (H: the floor) mean the same here as anywhere.
 */
export type Hand = 'scroll' | 'window' | 'pan' | 'zoom' | 'locate' | 'draw';

export type Deed =
  | { kind: 'scroll'; by: number }
  /** Steps of the width and of the centre, as a hand would go: to the right and down is more. */
  | { kind: 'window'; across: number; down: number; coarse: boolean }
  /** Shares of the pane. */
  | { kind: 'pan'; x: number; y: number }
  | { kind: 'zoom'; factor: number }
  | { kind: 'hand'; hand: Hand }
  | { kind: 'turn'; by: number }
  | { kind: 'mirror' | 'invert' | 'film' };

/** Keys of the hands; Help and the toolbar show them. */
export const HAND_KEYS: Readonly<Partial<Record<Hand, string>>> = { scroll: 'A', window: 'W', pan: 'E', zoom: 'Z' };

const ARROWS: Readonly<Record<string, readonly [x: number, y: number]>> = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };
const PAGES: Readonly<Record<string, number>> = { pageup: -10, pagedown: 10, home: -1e6, end: 1e6 };
const PAN = 0.04;
const PAN_FAR = 0.2;
const ZOOM = 1.25;

/** `key` in small letters; null: it is not for the pane. */
export function deedOf(key: string, shift: boolean, hand: Hand): Deed | null {
  const arrow = ARROWS[key];
  if (arrow !== undefined) return arrowDeed(arrow, shift, hand);
  const page = PAGES[key];
  if (page !== undefined) return { kind: 'scroll', by: page };
  for (const [name, letter] of Object.entries(HAND_KEYS)) if (key === letter.toLowerCase()) return { kind: 'hand', hand: name as Hand };
  switch (key) {
    case ' ':
      return { kind: 'film' };
    case 'r':
      return { kind: 'turn', by: shift ? -90 : 90 };
    case 'q':
      return { kind: 'mirror' };
    case 'i':
      return shift ? { kind: 'invert' } : null;
    case '+':
    case '=':
      return { kind: 'zoom', factor: ZOOM };
    case '-':
      return { kind: 'zoom', factor: 1 / ZOOM };
    default:
      return null;
  }
}

function arrowDeed([x, y]: readonly [number, number], shift: boolean, hand: Hand): Deed | null {
  const pan = shift ? PAN_FAR : PAN;
  switch (hand) {
    // with a drawing tool in hand they move its crosshair
    case 'draw':
      return null;
    case 'window':
      return { kind: 'window', across: x, down: y, coarse: shift };
    case 'pan':
      return { kind: 'pan', x: x * pan, y: y * pan };
    case 'zoom':
      return { kind: 'zoom', factor: x - y > 0 ? ZOOM : 1 / ZOOM };
    default:
      return { kind: 'scroll', by: x + y };
  }
}
