import type { LoggedOperation, Mark, Operation } from '../../src/signalling/protocol';

export function mark(name: string, fields: Partial<Mark> = {}): Mark {
  return {
    mark: name,
    shape: 'freehand',
    anchor: { producer: 7, rtp_timestamp: 90_000 },
    points: [
      [0.1, 0.1],
      [0.2, 0.2],
    ],
    width: 0.006,
    text: '',
    ...fields,
  };
}

export function logged(sequence: number, author: string, operation: Operation): LoggedOperation {
  return { sequence, time: 1_795_305_600_000 + sequence, author, name: author, colour: '#4cc2ff', operation };
}

export function add(sequence: number, author = 'pt-a', name = `m-${sequence}`): LoggedOperation {
  return logged(sequence, author, { kind: 'add', mark: mark(name) });
}
