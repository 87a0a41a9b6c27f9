/** Words for chat, files and the whiteboard. */
export const talk = {
} as const;
