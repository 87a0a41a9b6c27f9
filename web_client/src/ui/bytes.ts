/** A number of bytes in words: 1.2 MB. Units of 1,000, as file managers have them. */
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

export function sayBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`;
}

/** How long something still takes, in words: 40 sec, 3 min, 1.5 hr. */
export function sayLeft(seconds: number, language: string): string {
  const [unit, value] = seconds < 59.5 ? ['second', Math.ceil(seconds)] : seconds < 3570 ? ['minute', Math.round(seconds / 60)] : ['hour', Math.round(seconds / 360) / 10];
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'short' }).format(value);
}
