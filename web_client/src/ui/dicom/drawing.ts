/** How the pen works on an image, and what its measures are in words. */
import { measure, MEASURING_SHAPES, type Measured, type MeasuringShape } from '../../dicom/measurements';
import { valueOf, type Pixels } from '../../dicom/pixels';
import type { Anchor, Mark } from '../../signalling/protocol';
import { t } from '../../words/language.svelte';
import type { Slab } from '../../dicom/viewport';
import type { Live } from '../live.svelte';
import { drawingBase } from '../drawing_base';
import type { Drawing } from '../overlay_source';

/** Null where the role does not draw. */
export function imageDrawing(live: Live, anchor: () => Anchor | null): Drawing | null {
  const base = drawingBase(live);
  if (base === null) return null;
  const { hand, refuse } = base;
  const permitMove = (): boolean => {
    if (live.connection.state !== 'connected') return refuse(t('draw_disconnected'));
    return anchor() !== null || refuse(t('viewer_no_marks_here'));
  };
  return {
    ...hand,
    newest: anchor,
    anchor,
    permitMove,
    permit: () => (hand.tools.tool === 'calibrate' ? refuse(t('viewer_no_calibrating')) : permitMove()),
  };
}

export function isMeasuring(shape: string): shape is MeasuringShape {
  return (MEASURING_SHAPES as readonly string[]).includes(shape);
}

/** What a mark measures on these pixels, in words; null: nothing, or it has not all its points yet. */
export function sayMeasure(mark: Mark, pixels: Pixels): string | null {
  if (!isMeasuring(mark.shape)) return null;
  const { of, spacing, unit } = pixels.frame;
  const measured = measure(mark.shape, mark.points, {
    ...{ columns: of.columns, rows: of.rows, spacing, regions: of.regions, unit },
    value: valueOf(pixels),
  });
  return measured === null ? null : say(mark.shape, measured, pixels);
}

function say(shape: MeasuringShape, measured: Measured, pixels: Pixels): string {
  switch (shape) {
    case 'length':
      return sayLength(measured.lengths[0] ?? 0, measured);
    case 'bidirectional':
      return `${figure(measured.lengths[0] ?? 0)} × ${sayLength(measured.lengths[1] ?? 0, measured)}`;
    case 'angle':
    case 'cobb':
      return `${(measured.angle ?? 0).toFixed(1)}°`;
    case 'probe':
      return measured.mean === null ? sayColour(pixels) : `${figure(measured.mean)} ${measured.unit}`.trim();
    default: {
      const values = measured.mean === null ? '' : `${figure(measured.mean)} ± ${figure(measured.deviation ?? 0)} ${measured.unit}`.trim();
      return [values, sayArea(measured)].filter((part) => part !== '').join(' · ');
    }
  }
}

function sayColour({ frame }: Pixels): string {
  return frame.of.photometric === 'RGB' ? t('viewer_colour') : '';
}

function sayLength(value: number, { basis }: Measured): string {
  if (basis === 'none') return t('viewer_px', { value: figure(value) });
  return t(basis === 'detector' ? 'viewer_mm_detector' : 'viewer_mm', { value: figure(value) });
}

function sayArea({ area, basis }: Measured): string {
  if (area === null) return '';
  if (basis === 'none') return t('viewer_px2', { value: figure(area) });
  const [value, unit] = area >= 100 ? [area / 100, 'cm²'] : [area, 'mm²'];
  return `${figure(value)} ${unit}${basis === 'detector' ? ` ${t('viewer_at_detector')}` : ''}`;
}

/** How thick a cut is. */
export function saySlab(slab: Slab | null): string {
  return slab === null ? t('viewer_slab_thin') : t(`viewer_slab_${slab.mode}`, { mm: slab.mm });
}

/** As many digits as a measure is worth. */
function figure(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1);
}
