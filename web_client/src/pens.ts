/**
 * What one person does with a pen: joins the tools, what is selected, the keyboard's crosshair and the layers to the
 * room's log. The session carries what they say; the overlays show it.
 */
import { Crosshair } from './annotation/crosshair';
import type { Replica } from './annotation/document';
import { Layers } from './annotation/layers';
import { Selection } from './annotation/selection';
import type { Tools } from './annotation/tools';
import { Emitter } from './emitter';
import type { ClientOperation, Mark, VideoAnchor } from './signalling/marks';
import type { Point } from './signalling/protocol';
import type { Timers } from './timers';

interface PensEvents {
  /** To be shown at once and asked for, together. */
  edit: Mark[];
  operation: ClientOperation;
  changed: undefined;
}

export class Pens extends Emitter<PensEvents> {
  readonly selection: Selection;
  readonly crosshair: Crosshair;
  readonly layers = new Layers();

  constructor(
    readonly tools: Tools,
    replica: Replica,
    timers: Timers,
  ) {
    super();
    this.selection = new Selection(timers);
    this.crosshair = new Crosshair(tools, this.selection);
    this.selection.on('edit', (marks) => this.emit('edit', marks));
    this.selection.on('delete', (marks) => this.emit('operation', { kind: 'delete', marks }));
    tools.on('named', ({ anchor, rtpTimestamp }) => this.selection.handleName(anchor, rtpTimestamp));
    replica.on('changed', () => this.selection.handleMarks((mark) => replica.find(mark) !== null));
    const say = (): void => this.emit('changed', undefined);
    this.selection.on('changed', say);
    this.crosshair.on('changed', say);
    this.layers.on('changed', say);
  }

  /** Say how long a line on a producer's picture is; null: that is no longer known. */
  calibrate(anchor: VideoAnchor, points: [Point, Point], millimetres: number | null): void {
    this.emit('operation', { kind: 'calibrate', anchor, points, millimetres });
  }
}
