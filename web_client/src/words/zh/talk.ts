import type { talk as en } from '../en/talk';

export const talk: Readonly<Record<keyof typeof en, string>> = {
};
