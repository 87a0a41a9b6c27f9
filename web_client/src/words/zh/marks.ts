import type { marks as en } from '../en/marks';

export const marks: Readonly<Record<keyof typeof en, string>> = {
};
