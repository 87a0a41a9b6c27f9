import type { dicom as en } from '../en/dicom';

export const dicom: Readonly<Record<keyof typeof en, string>> = {
};
