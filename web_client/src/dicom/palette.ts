/** Tables of a file: what each stored value becomes. Palettes may be written in segments (PS3.3, C.7.9.2). */
import { numbersOf, wordsOf, type Attributes } from './attributes';

/** What turns stored values into others by a table: the first value that it holds, and what each becomes. */
export interface Table {
  first: number;
  bits: number;
  values: Uint16Array<ArrayBuffer>;
}

export interface Palette {
  red: Table;
  green: Table;
  blue: Table;
}

export function paletteOf(attributes: Attributes): Palette | null {
  const [red, green, blue] = (['1', '2', '3'] as const).map(
    (n) => tableOf(attributes, `0028110${n}`, `0028120${n}`) ?? segmentedOf(attributes, `0028110${n}`, `0028122${n}`),
  );
  return red && green && blue ? { red, green, blue } : null;
}

export function tableOf(attributes: Attributes, descriptor: string, data: string): Table | null {
  const described = describedBy(attributes, descriptor);
  let values = wordsOf(attributes, data);
  if (described === null || values === null) return null;
  const { count } = described;
  if (values.length < count && values.length * 2 >= count) {
    // entries of eight bits, two to a word
    values = Uint16Array.from(new Uint8Array(values.buffer).subarray(0, count));
  }
  return values.length === 0 ? null : { first: described.first, bits: described.bits, values: values.slice(0, count) };
}

function segmentedOf(attributes: Attributes, descriptor: string, data: string): Table | null {
  const described = describedBy(attributes, descriptor);
  const words = wordsOf(attributes, data);
  if (described === null || words === null) return null;
  const { count, first, bits } = described;
  const values = expanded(bits > 8 ? words : Uint16Array.from(new Uint8Array(words.buffer)), count, bits > 8 ? 2 : 1);
  return values === null ? null : { first, bits, values };
}

function describedBy(attributes: Attributes, descriptor: string): { count: number; first: number; bits: number } | null {
  const [entries, first, bits] = numbersOf(attributes, descriptor);
  if (entries === undefined || first === undefined) return null;
  return { count: entries === 0 ? 65_536 : entries & 0xffff, first, bits: bits ?? 16 };
}

/** Write out segments as `count` values; null: they make fewer, or no sense. `size` is the bytes of one of them. */
export function expanded(segments: Uint16Array, count: number, size: 1 | 2): Uint16Array<ArrayBuffer> | null {
  const values = new Uint16Array(count);
  let made = 0;
  const add = (value: number): void => {
    if (made < count) values[made++] = value;
  };
  /** Reads one segment; says where the next one begins, -1: there is none. */
  const read = (at: number, isWithin: boolean): number => {
    const [kind, length] = [segments[at], segments[at + 1]];
    if (kind === undefined || length === undefined) return -1;
    if (kind === 0) {
      for (let n = 0; n < length; n++) add(segments[at + 2 + n] ?? 0);
      return at + 2 + length;
    }
    if (kind === 1) {
      const [from, to] = [made === 0 ? 0 : (values[made - 1] ?? 0), segments[at + 2] ?? 0];
      for (let n = 1; n <= length; n++) add(Math.round(from + ((to - from) * n) / length));
      return at + 3;
    }
    // once more what stood elsewhere; not what says so itself: that would never end
    if (kind !== 2 || isWithin) return -1;
    const offset = size === 2 ? (segments[at + 2] ?? 0) + (segments[at + 3] ?? 0) * 65_536 : [0, 1, 2, 3].reduce((sum, n) => sum + (segments[at + 2 + n] ?? 0) * 256 ** n, 0);
    let other = offset / size;
    for (let n = 0; n < length && other >= 0; n++) other = Number.isInteger(other) ? read(other, true) : -1;
    return other < 0 ? -1 : at + (size === 2 ? 4 : 6);
  };
  for (let at = 0; at >= 0 && at < segments.length && made < count; ) at = read(at, false);
  return made === count ? values : null;
}
