/** Words for the image consultation. */
export const dicom = {
  stage_field: 'Field',
  stage_images: 'Images',
  stage_board: 'Board',
  stage_failed: 'This part of the page could not be loaded. Is the server reachable? Choose the tab again.',
  help_key_stage: 'Next to the left, to the right',
  said_presenting_began: '{name} presents the images',
  said_presenting_asked: '{name} asks to present the images',
  said_presenting_ended: 'Nobody presents the images any more',
  said_presenting_yours: 'You present the images now',
  error_already_presenting: 'Somebody else is presenting. Ask to take over.',
  error_not_presenting: 'Nobody is presenting, or somebody else is.',
  chapter_presenter: '{name} presents the images',
} as const;
