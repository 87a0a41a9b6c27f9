/**
 * How large a pixel is, and whence it is known. A length is worth no more than that, so each carries its basis with it.
 *
 * `spacing` is in the patient (PixelSpacing, PS3.3 C.7.6.3); `calibrated` the same of a projection that somebody or something
 * calibrated (10.7.1.3); `detector` at the detector of a projection (ImagerPixelSpacing, C.8.11.4): what lies before it was
 * smaller; `region` in a region of an ultrasound image (C.8.5.5); `none`: not known.
 */

export type Basis = 'spacing' | 'calibrated' | 'detector' | 'region' | 'none';

export interface Spacing {
  basis: Basis;
  /** Millimetres from a column to the next, and from a row to the next; without a basis 1 and the pixel's aspect. */
  x: number;
  y: number;
}

/** A part of an ultrasound image with a scale of its own: pixels, both corners within it. */
export interface UltrasoundRegion {
  left: number;
  top: number;
  right: number;
  bottom: number;
  /** Millimetres a pixel. */
  x: number;
  y: number;
}

/** What of an image's attributes says how large its pixels are, as they stand in the file (vertical first). */
export interface SpacingAttributes {
  PixelSpacing?: readonly number[];
  ImagerPixelSpacing?: readonly number[];
  NominalScannedPixelSpacing?: readonly number[];
  PixelSpacingCalibrationType?: string;
  PixelAspectRatio?: readonly number[];
}

const UNKNOWN: Spacing = { basis: 'none', x: 1, y: 1 };

/** Read the spacing that holds for a whole image. */
export function spacingOf(attributes: SpacingAttributes): Spacing {
  const pixel = pair(attributes.PixelSpacing);
  const imager = pair(attributes.ImagerPixelSpacing ?? attributes.NominalScannedPixelSpacing);
  if (pixel !== null) {
    // a projection whose both spacings agree was not corrected for its magnification (10.7.1.3)
    const same = imager !== null && close(pixel[0], imager[0]) && close(pixel[1], imager[1]);
    const basis = same ? 'detector' : imager !== null || attributes.PixelSpacingCalibrationType ? 'calibrated' : 'spacing';
    return { basis, x: pixel[1], y: pixel[0] };
  }
  if (imager !== null) return { basis: 'detector', x: imager[1], y: imager[0] };
  const aspect = pair(attributes.PixelAspectRatio);
  return aspect === null ? UNKNOWN : { basis: 'none', x: 1, y: aspect[0] / aspect[1] };
}

/** The spacing for points (pixels): the region's that holds them all, where there are regions, else the image's. */
export function spacingAt(
  points: readonly (readonly [number, number])[],
  image: Spacing,
  regions: readonly UltrasoundRegion[],
): Spacing {
  if (regions.length === 0) return image;
  const holding = regions.find((region) =>
    points.every(([x, y]) => x >= region.left && x <= region.right + 1 && y >= region.top && y <= region.bottom + 1),
  );
  return holding === undefined ? UNKNOWN : { basis: 'region', x: holding.x, y: holding.y };
}

function pair(values: readonly number[] | undefined): [number, number] | null {
  const [first, second] = values ?? [];
  if (first === undefined || second === undefined) return null;
  return Number.isFinite(first) && Number.isFinite(second) && first > 0 && second > 0 ? [first, second] : null;
}

function close(one: number, other: number): boolean {
  return Math.abs(one - other) <= 1e-6 * Math.max(one, other);
}
