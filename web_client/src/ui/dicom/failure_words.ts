/** Why an image is not shown, in the language of the page; the server's own sentence only where its code says nothing here. */
import type { FrameFailure } from '../../dicom/frames';
import { sayCode, t } from '../../words/language.svelte';

export function sayFailure({ reason, code, message }: FrameFailure): string {
  if (reason !== 'refused') return t(`viewer_cannot_${reason}`);
  return sayCode('image_refused', code, message) || t('viewer_cannot_away');
}
