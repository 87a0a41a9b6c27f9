/** Curves of a waveform object (PS3.3, C.10.9): ECG and its like, in the units of their channels. */
import { bytesOf, itemOf, itemsOf, numberOf, textOf, type Attributes } from './attributes';

export interface Channel {
  label: string;
  unit: string;
  values: Float32Array<ArrayBuffer>;
}

export interface Waveform {
  label: string;
  /** Samples a second. */
  rate: number;
  seconds: number;
  channels: Channel[];
}

/** What a file may hold at most: an hour of 64 channels at 1 kHz is no page's business. */
const SAMPLES_LIMIT = 32e6;

/** Read the multiplex groups whose samples stand in the metadata; what cannot be read is left out. */
export function readWaveforms(attributes: Attributes): Waveform[] {
  return itemsOf(attributes, '54000100').flatMap((item) => {
    const one = readGroup(item);
    return one === null ? [] : [one];
  });
}

function readGroup(item: Attributes): Waveform | null {
  const [channels, samples, rate] = [numberOf(item, '003A0005') ?? 0, numberOf(item, '003A0010') ?? 0, numberOf(item, '003A001A') ?? 0];
  const bytes = bytesOf(item, '54001010');
  const bits = numberOf(item, '54001004') ?? 16;
  const interpretation = textOf(item, '54001006') || 'SS';
  if (bytes === null || channels < 1 || samples < 1 || rate <= 0 || channels * samples > SAMPLES_LIMIT) return null;
  const width = bits / 8;
  if (![1, 2, 4].includes(width) || bytes.length < channels * samples * width) return null;
  const view = new DataView(bytes.buffer);
  const read = readerOf(view, width, interpretation);
  const definitions = itemsOf(item, '003A0200');
  return {
    label: textOf(item, '003A0020'),
    rate,
    seconds: samples / rate,
    channels: Array.from({ length: channels }, (_, channel) => {
      const definition = definitions[channel] ?? {};
      const scale = (numberOf(definition, '003A0210') ?? 1) * (numberOf(definition, '003A0212') ?? 1);
      const baseline = numberOf(definition, '003A0213') ?? 0;
      const values = new Float32Array(samples);
      for (let at = 0; at < samples; at++) values[at] = read((at * channels + channel) * width) * scale + baseline;
      return {
        label: shortLead(textOf(definition, '003A0203') || textOf(itemOf(definition, '003A0208'), '00080104')),
        unit: textOf(itemOf(definition, '003A0211'), '00080100'),
        values,
      };
    }),
  };
}

function readerOf(view: DataView, width: number, interpretation: string): (at: number) => number {
  const signed = interpretation.startsWith('S');
  if (width === 1) return signed ? (at) => view.getInt8(at) : (at) => view.getUint8(at);
  if (width === 2) return signed ? (at) => view.getInt16(at, true) : (at) => view.getUint16(at, true);
  return signed ? (at) => view.getInt32(at, true) : (at) => view.getUint32(at, true);
}

/** "Lead II (Einthoven)" is II. */
function shortLead(label: string): string {
  return /^Lead (\w+)/i.exec(label)?.[1] ?? label;
}

/** Millivolts a unit; null: it is no voltage. */
export function millivoltsOf(unit: string): number | null {
  return { uV: 1e-3, mV: 1, V: 1e3 }[unit] ?? null;
}
