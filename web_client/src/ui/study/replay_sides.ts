/** What is looked at beside the pictures of a recording, one at a time. */
export const SIDES = ['events', 'chat', 'stills', 'notes'] as const;
export type ReplaySideName = (typeof SIDES)[number];
