/** Words for the image consultation. */
export const dicom = {
  stage_field: 'Field',
  stage_images: 'Images',
  stage_board: 'Board',
  stage_failed: 'This part of the page could not be loaded. Is the server reachable? Choose the tab again.',
  help_key_stage: 'Next to the left, to the right',
} as const;
