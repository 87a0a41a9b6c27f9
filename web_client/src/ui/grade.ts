/** How a picture's age is judged: up to 200 ms is what surgeons work with, above 400 ms it must not be trusted. */
export type Grade = 'good' | 'late' | 'old';

export function gradeOf(milliseconds: number): Grade {
  if (milliseconds < 200) return 'good';
  return milliseconds < 400 ? 'late' : 'old';
}

/** Long ages in seconds: nobody reads 73,412 ms. */
export function sayAge(milliseconds: number): { figure: string; unit: string } {
  if (milliseconds < 0) return { figure: '0', unit: 'ms' };
  if (milliseconds < 9_950) return { figure: milliseconds.toFixed(0), unit: 'ms' };
  return { figure: (milliseconds / 1000).toFixed(milliseconds < 99_500 ? 1 : 0), unit: 's' };
}

/** A span of time as on a clock: 0:07, 12:34, 1:02:03. */
export function sayDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A moment as on a clock, by the reader's own zone: 14:03:22, with tenths where they are asked for. */
export function sayClock(at: number, tenths: boolean): string {
  const time = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  return tenths ? `${clock}.${Math.floor(time.getMilliseconds() / 100)}` : clock;
}

/** From this age on a picture is greyed and warned of; it is trusted again somewhat below, so that nothing flickers. */
export const LATE_MS = 500;
const TRUSTED_MS = 450;

export function isLate(milliseconds: number | null, before: boolean): boolean {
  return milliseconds !== null && milliseconds >= (before ? TRUSTED_MS : LATE_MS);
}
