import type { hospital as en } from '../en/hospital';

export const hospital: Readonly<Record<keyof typeof en, string>> = {
};
