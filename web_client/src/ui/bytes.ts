/** A number of bytes in words: 1.2 MB. Units of 1,000, as file managers have them. */
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

export function sayBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`;
}
