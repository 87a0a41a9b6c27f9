import type { Attributes, Element } from '../../src/dicom/attributes';

interface Made {
  instance?: string;
  number?: number;
  position?: readonly number[] | null;
  columns?: number;
  rows?: number;
  more?: Attributes;
}

export function element(vr: string, ...Value: unknown[]): Element {
  return { vr, Value };
}

/** The metadata of a small axial CT slice. */
export function ct({ instance = '2.25.1', number = 1, position = [0, 0, 0], columns = 4, rows = 3, more = {} }: Made = {}): Attributes {
  return {
    '0020000D': element('UI', '2.25.100'),
    '0020000E': element('UI', '2.25.200'),
    '00080018': element('UI', instance),
    '00080060': element('CS', 'CT'),
    '00200013': element('IS', number),
    '00280002': element('US', 1),
    '00280004': element('CS', 'MONOCHROME2'),
    '00280010': element('US', rows),
    '00280011': element('US', columns),
    '00280030': element('DS', 0.5, 0.5),
    '00280100': element('US', 16),
    '00280101': element('US', 12),
    '00280103': element('US', 1),
    '00281050': element('DS', 40),
    '00281051': element('DS', 400),
    '00281052': element('DS', -1024),
    '00281053': element('DS', 1),
    ...(position === null
      ? {}
      : { '00200032': element('DS', ...position), '00200037': element('DS', 1, 0, 0, 0, 1, 0) }),
    ...more,
  };
}
