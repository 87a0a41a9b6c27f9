/** Words for how recordings are kept: classes, holds, consent, deletion, copies, the disk. */
export const keeping = {
  replay_state_moved: 'in the second place',
  replay_state_fetching: 'being fetched, {percent} %',
} as const;
