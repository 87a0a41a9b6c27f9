/** What an instance is to the viewer, drawn from its metadata once: sizes, depths, windows, places in the patient, times. */
import {
  itemOf, itemsOf, numberOf, numbersOf, textOf, textsOf, type Attributes,
} from './attributes';
import type { Plane, Ways } from './orientation';
import { lettersOf } from './orientation';
import { paletteOf, tableOf, type Palette, type Table } from './palette';
import { spacingOf, type Spacing, type UltrasoundRegion } from './spacing';
import { times, type Vector } from './vectors';
import type { Preset, WindowFunction } from './windowing';

export type Photometric = 'MONOCHROME1' | 'MONOCHROME2' | 'PALETTE COLOR' | 'RGB';

/** One instance. */
export interface Instance {
  study: string;
  series: string;
  instance: string;
  sopClass: string;
  modality: string;
  number: number;
  columns: number;
  rows: number;
  frames: number;
  samples: number;
  bits: number;
  bitsStored: number;
  signed: boolean;
  /** Samples are floating point numbers. */
  floating: boolean;
  photometric: Photometric | null;
  palette: Palette | null;
  modalityTable: Table | null;
  regions: readonly UltrasoundRegion[];
  /** Milliseconds from a frame to the next; null: it is no film. */
  frameTime: number | null;
  /** How the patient is said to lie where no place in space is known (PatientOrientation). */
  ways: Ways | null;
  attributes: Attributes;
}

/** One frame of an instance: what may differ from frame to frame. */
export interface Frame {
  of: Instance;
  /** From 1. */
  frame: number;
  slope: number;
  intercept: number;
  unit: string;
  presets: readonly Preset[];
  windowFunction: WindowFunction;
  voiTable: Table | null;
  spacing: Spacing;
  plane: Plane | null;
  /** Height of a pixel by its width. */
  aspect: number;
}

export function readInstance(attributes: Attributes): Instance {
  const photometric = textOf(attributes, '00280004');
  const bits = numberOf(attributes, '00280100') ?? 8;
  const isColour = photometric === 'RGB' || photometric.startsWith('YBR');
  return {
    study: textOf(attributes, '0020000D'),
    series: textOf(attributes, '0020000E'),
    instance: textOf(attributes, '00080018'),
    sopClass: textOf(attributes, '00080016'),
    modality: textOf(attributes, '00080060'),
    number: numberOf(attributes, '00200013') ?? 0,
    columns: numberOf(attributes, '00280011') ?? 0,
    rows: numberOf(attributes, '00280010') ?? 0,
    frames: Math.max(1, numberOf(attributes, '00280008') ?? 1),
    samples: numberOf(attributes, '00280002') ?? 1,
    bits,
    bitsStored: numberOf(attributes, '00280101') ?? bits,
    signed: numberOf(attributes, '00280103') === 1,
    // Float Pixel Data has no Pixel Representation (PS3.3, C.7.6.24)
    floating: bits >= 32 && attributes['00280103'] === undefined,
    photometric: isColour ? 'RGB' : photometric === 'MONOCHROME1' || photometric === 'MONOCHROME2' || photometric === 'PALETTE COLOR' ? photometric : null,
    palette: paletteOf(attributes),
    modalityTable: tableOf(itemOf(attributes, '00283000'), '00283002', '00283006'),
    regions: itemsOf(attributes, '00186011').flatMap(regionOf),
    frameTime: frameTimeOf(attributes),
    ways: waysOf(textsOf(attributes, '00200020')),
    attributes,
  };
}

/** Describe a frame: its own functional groups first, then those that all share, then the instance itself. */
export function frameOf(of: Instance, frame: number): Frame {
  const { attributes } = of;
  const shared = itemOf(attributes, '52009229');
  const own = itemsOf(attributes, '52009230')[frame - 1] ?? {};
  const group = (sequence: string): Attributes => {
    const item = itemOf(own, sequence);
    return Object.keys(item).length > 0 ? item : itemOf(shared, sequence);
  };
  const measures = { ...pick(attributes), ...group('00289110') };
  const spacing = spacingOf({
    PixelSpacing: numbersOf(measures, '00280030'),
    ...(attributes['00181164'] === undefined ? {} : { ImagerPixelSpacing: numbersOf(attributes, '00181164') }),
    ...(attributes['00182010'] === undefined ? {} : { NominalScannedPixelSpacing: numbersOf(attributes, '00182010') }),
    PixelSpacingCalibrationType: textOf(attributes, '00280A02'),
    PixelAspectRatio: numbersOf(attributes, '00280034'),
  });
  const rescale = { ...attributes, ...group('00289145') };
  const type = textOf(rescale, '00281054');
  const slope = numberOf(rescale, '00281053') ?? 1;
  const shown = { ...attributes, ...group('00289132') };
  return {
    of,
    frame,
    slope: slope === 0 ? 1 : slope,
    intercept: numberOf(rescale, '00281052') ?? 0,
    unit: unitOf(of.modality, type, textsOf(attributes, '00080008')),
    presets: presetsOf(shown),
    windowFunction: functionOf(shown),
    voiTable: tableOf(itemOf(shown, '00283010'), '00283002', '00283006'),
    spacing,
    plane: planeOf(of, spacing, group),
    aspect: spacing.y / spacing.x,
  };
}

/** Whether places in both are of one coordinate system (FrameOfReferenceUID); where none says so, only within a series. */
export function sharesSpace(one: Instance, other: Instance): boolean {
  const [mine, theirs] = [textOf(one.attributes, '00200052'), textOf(other.attributes, '00200052')];
  return mine === theirs && (mine !== '' || one.series === other.series);
}

function pick(attributes: Attributes): Attributes {
  const spacing = attributes['00280030'];
  return spacing === undefined ? {} : { '00280030': spacing };
}

/** CT values are HU unless the file says otherwise, but not those of a localizer (PS3.3, C.8.2.1.1.2). */
function unitOf(modality: string, type: string, kinds: readonly string[]): string {
  if (type === 'US' || type === '') return modality === 'CT' && type === '' && !kinds.includes('LOCALIZER') ? 'HU' : '';
  return type;
}

function presetsOf(attributes: Attributes): Preset[] {
  const [centres, widths] = [numbersOf(attributes, '00281050'), numbersOf(attributes, '00281051')];
  const words = textsOf(attributes, '00281055');
  // only LINEAR counts whole values: its width is one at least (PS3.3, C.11.2.1.2)
  const isWide = (width: number): boolean => (functionOf(attributes) === 'LINEAR' ? width >= 1 : width > 0);
  return centres.flatMap((centre, at): Preset[] => {
    const width = widths[at];
    if (width === undefined || !isWide(width)) return [];
    return [{ name: words[at] ? null : 'file', label: words[at] ?? '', window: [centre, width] }];
  });
}

function planeOf(of: Instance, spacing: Spacing, group: (sequence: string) => Attributes): Plane | null {
  if (spacing.basis !== 'spacing' && spacing.basis !== 'calibrated') return null;
  const cosines = numbersOf({ ...of.attributes, ...group('00209116') }, '00200037');
  const origin = numbersOf({ ...of.attributes, ...group('00209113') }, '00200032');
  if (cosines.length !== 6 || origin.length !== 3) return null;
  const [a, b, c, d, e, f] = cosines as [number, number, number, number, number, number];
  return {
    origin: origin as unknown as Vector,
    column: times([a, b, c], spacing.x),
    row: times([d, e, f], spacing.y),
    columns: of.columns,
    rows: of.rows,
  };
}

/** Which way an image lies, from its place in the patient or from what is said of it. */
export function waysOfFrame({ plane, of }: Frame): Ways | null {
  return plane === null ? of.ways : { right: lettersOf(plane.column), bottom: lettersOf(plane.row) };
}

function waysOf([row, column]: readonly string[]): Ways | null {
  if (row === undefined || column === undefined || !/^[LRAPHF]{1,3}$/.test(row) || !/^[LRAPHF]{1,3}$/.test(column)) return null;
  return { right: row, bottom: column };
}

function functionOf(attributes: Attributes): WindowFunction {
  const said = textOf(attributes, '00281056');
  return said === 'SIGMOID' || said === 'LINEAR_EXACT' ? said : 'LINEAR';
}

/** RecommendedDisplayFrameRate, else FrameTime, FrameTimeVector, CineRate (PS3.3, C.7.6.5). */
function frameTimeOf(attributes: Attributes): number | null {
  const rate = numberOf(attributes, '00082144');
  if (rate !== null && rate > 0) return 1000 / rate;
  const time = numberOf(attributes, '00181063');
  if (time !== null && time > 0) return time;
  const vector = numbersOf(attributes, '00181065').filter((value) => value > 0);
  if (vector.length > 0) return vector.reduce((sum, value) => sum + value, 0) / vector.length;
  const cine = numberOf(attributes, '00180040');
  return cine !== null && cine > 0 ? 1000 / cine : null;
}

/** Units 3 are centimetres (PS3.3, C.8.5.5.1.15); a region of anything else has no lengths. */
function regionOf(item: Attributes): UltrasoundRegion[] {
  const [left, top, right, bottom] = ['00186018', '0018601A', '0018601C', '0018601E'].map((tag) => numberOf(item, tag));
  const [x, y] = [numberOf(item, '0018602C'), numberOf(item, '0018602E')];
  if (left == null || top == null || right == null || bottom == null || x == null || y == null) return [];
  if (numberOf(item, '00186024') !== 3 || numberOf(item, '00186026') !== 3 || x === 0 || y === 0) return [];
  return [{ left, top, right, bottom, x: Math.abs(x) * 10, y: Math.abs(y) * 10 }];
}
