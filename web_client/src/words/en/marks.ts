/** Words for drawing tools, layers and marks. */
export const marks = {
  tool_line: 'Line',
  tool_rectangle: 'Rectangle',
  tool_polygon: 'Polygon',
  tool_pin: 'Pin',
  tool_length: 'Length',
  tool_angle: 'Angle',
  tool_cobb: 'Cobb angle',
  tool_bidirectional: 'Two diameters',
  tool_roi_ellipse: 'Elliptical region',
  tool_roi_rectangle: 'Rectangular region',
  tool_probe: 'Probe',
  error_not_calibrated: 'lengths on this picture are not calibrated.',
  error_duplicate: 'it arrived already.',
} as const;
