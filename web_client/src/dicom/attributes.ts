/** Reading DICOM JSON (PS3.18, annex F): values by tag, of the type that is expected or nothing. */

export interface Element {
  vr: string;
  Value?: readonly unknown[];
  InlineBinary?: string;
  BulkDataURI?: string;
}
export type Attributes = Readonly<Record<string, Element | undefined>>;

export function numbersOf(attributes: Attributes, tag: string): number[] {
  const values = attributes[tag]?.Value ?? [];
  return values.map(Number).filter(Number.isFinite);
}

export function numberOf(attributes: Attributes, tag: string): number | null {
  return numbersOf(attributes, tag)[0] ?? null;
}

export function textsOf(attributes: Attributes, tag: string): string[] {
  return (attributes[tag]?.Value ?? []).map((value) => {
    if (typeof value === 'string') return value;
    if (typeof value === 'object' && value !== null) return nameOf(value);
    return value === null ? '' : String(value);
  });
}

/** A name as it stands in a file (PS3.18, F.2.2): letters, characters, sounds, with equal signs between. */
function nameOf(value: object): string {
  const { Alphabetic, Ideographic, Phonetic } = value as { Alphabetic?: unknown; Ideographic?: unknown; Phonetic?: unknown };
  return [Alphabetic, Ideographic, Phonetic].map((group) => (typeof group === 'string' ? group : '')).join('=').replace(/=+$/, '');
}

export function textOf(attributes: Attributes, tag: string): string {
  return textsOf(attributes, tag)[0] ?? '';
}

export function itemsOf(attributes: Attributes, tag: string): Attributes[] {
  return (attributes[tag]?.Value ?? []).filter((item): item is Attributes => typeof item === 'object' && item !== null);
}

/** The first item of a sequence; an empty one where there is none. */
export function itemOf(attributes: Attributes, tag: string): Attributes {
  return itemsOf(attributes, tag)[0] ?? {};
}

/** Bytes that stand in the metadata themselves; null: they do not. */
export function bytesOf(attributes: Attributes, tag: string): Uint8Array<ArrayBuffer> | null {
  const { InlineBinary } = attributes[tag] ?? {};
  if (InlineBinary === undefined) return null;
  try {
    return Uint8Array.from(atob(InlineBinary), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}

/** Values of a LUT or a palette: 16-bit words, inline or as numbers. */
export function wordsOf(attributes: Attributes, tag: string): Uint16Array<ArrayBuffer> | null {
  const bytes = bytesOf(attributes, tag);
  if (bytes !== null) return new Uint16Array(bytes.buffer.slice(0, bytes.length & ~1));
  const numbers = numbersOf(attributes, tag);
  return numbers.length === 0 ? null : Uint16Array.from(numbers, (value) => value & 0xffff);
}
