/** Computes cuts beside the page, which stays quick; what is not wanted any more is given up between two bands of rows. */
import type { Samples } from './pixels';
import { reslice, workOf, type Cut, type Order } from './reslice';
import type { Grid } from './volume';

export type Told =
  | { kind: 'open'; grid: Grid }
  | { kind: 'slice'; at: number; samples: Samples }
  | { kind: 'cut'; pane: string; ticket: number; order: Order };

/** `fine`: at full resolution; `there`: of how many frames it is made. */
export interface Made extends Cut {
  pane: string;
  ticket: number;
  fine: boolean;
  there: number;
}

type Wanted = Extract<Told, { kind: 'cut' }>;

/** More voxels than these are looked at coarsely first. */
const LIGHT = 1_500_000;
const COARSE = 4;

/** The one volume of this worker. */
let grid: Grid | null = null;
let slices: (Samples | null)[] = [];
let count = 0;
/** The newest of each pane. */
const wanted = new Map<string, Wanted>();
let isBusy = false;
// a turn of its own between two bands, without the 4 ms of a timer
const { port1: here, port2: away } = new MessageChannel();
const turn = (): Promise<void> =>
  new Promise((done) => {
    here.onmessage = () => done();
    away.postMessage(null);
  });

self.addEventListener('message', ({ data }: MessageEvent<Told>) => {
  if (data.kind === 'open') {
    grid = data.grid;
    slices = new Array<null>(grid.size[2]).fill(null);
  } else if (data.kind === 'slice') {
    if (slices[data.at] !== null) return;
    slices[data.at] = data.samples;
    count += 1;
  } else {
    wanted.set(data.pane, data);
    if (!isBusy) void work();
  }
});

async function work(): Promise<void> {
  isBusy = true;
  for (let [next] = wanted.values(); next !== undefined && grid !== null; [next] = wanted.values()) {
    if (workOf({ grid, slices }, next.order) > LIGHT) await make(grid, next, COARSE);
    if (wanted.get(next.pane) === next) await make(grid, next, 1);
    if (wanted.get(next.pane) === next) wanted.delete(next.pane);
  }
  isBusy = false;
}

async function make(of: Grid, cut: Wanted, every: number): Promise<void> {
  const made = count;
  // frames that come meanwhile are for the next time: what is told is what it was made of
  const bands = reslice({ grid: of, slices: [...slices] }, cut.order, every);
  for (;;) {
    const { done, value } = bands.next();
    if (done === true) {
      const answer: Made = { ...value, pane: cut.pane, ticket: cut.ticket, fine: every === 1, there: made };
      self.postMessage(answer, { transfer: [value.samples.buffer] });
      return;
    }
    await turn();
    if (wanted.get(cut.pane) !== cut) return;
  }
}
