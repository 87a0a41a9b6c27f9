import type { guidance as en } from '../en/guidance';

export const guidance: Readonly<Record<keyof typeof en, string>> = {
};
