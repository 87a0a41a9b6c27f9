/** Words for instructions, frozen frames, and what says whether a picture is live. */
export const guidance = {
} as const;
