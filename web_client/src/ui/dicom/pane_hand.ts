/** What mouse, fingers and keys do to one pane: they change the state of the viewer, and nothing else. */
import type { Size } from '../../annotation/geometry';
import type { Matrix } from '../../annotation/matrix';
import { actualPixels, panned, pointAt, zoomed, type ImageSize } from '../../dicom/layout';
import { deedOf, type Deed } from '../../dicom/pane_keys';
import { rescaled } from '../../dicom/pixels';
import { UPRIGHT, type Window } from '../../dicom/viewport';
import { dragged, stepped } from '../../dicom/windowing';
import type { Point } from '../../signalling/protocol';
import type { Shown, Viewer } from './viewer.svelte';
import type { ViewerHost } from './viewer_host';

/** A pull of so many pixels is one image on. */
const SCROLL_PX = 8;
const WHEEL_PX = 40;

/** What a pane shows, and how it lies there. */
export interface Glass {
  shown: Shown | null;
  image: ImageSize | null;
  matrix: Matrix | null;
  pane: Size;
  window: Window | null;
}

type At = { clientX: number; clientY: number };

export class PaneHand {
  readonly #pointers = new Map<number, Point>();
  #pull = 0;
  #wheel = 0;

  constructor(
    private readonly viewer: Viewer<ViewerHost>,
    private readonly index: number,
    private readonly glass: () => Glass,
    /** Pixels of the pane. */
    private readonly place: (event: At) => Point,
  ) {}

  handleDown = (event: PointerEvent): void => {
    const { viewer, index } = this;
    viewer.activate(index);
    const { shown, image } = this.glass();
    if (shown === null || image === null) return;
    this.#pointers.set(event.pointerId, this.place(event));
    if (viewer.hand === 'draw' && event.button === 0 && this.#pointers.size === 1) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    this.#pull = 0;
    if (viewer.hand === 'locate' && event.button === 0) this.#locate(event);
  };

  handleMove = (event: PointerEvent): void => {
    const before = this.#pointers.get(event.pointerId);
    const { shown, image, matrix, pane } = this.glass();
    if (before === undefined || shown === null || image === null || matrix === null) return;
    const now = this.place(event);
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    const others = [...this.#pointers].filter(([id]) => id !== event.pointerId);
    this.#pointers.set(event.pointerId, now);
    if (others.length > 0) {
      const [, other] = others[0] as [number, Point];
      const [far, near] = [Math.hypot(now[0] - other[0], now[1] - other[1]), Math.hypot(before[0] - other[0], before[1] - other[1])];
      const middle: Point = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
      const moved = panned(shown.state, matrix, dx / 2, dy / 2, pane);
      return this.viewer.changePane(this.index, zoomed(moved, image, pane, near < 1 ? 1 : far / near, middle));
    }
    if (event.buttons === 0) return void this.#pointers.delete(event.pointerId);
    const hand = event.buttons & 2 ? 'window' : event.buttons & 4 ? 'pan' : this.viewer.hand;
    if (hand === 'window') this.#dragWindow(dx, dy);
    else if (hand === 'pan') this.#pan(dx, dy);
    else if (hand === 'zoom') this.grow(Math.exp(-dy / 150));
    else if (hand === 'locate') this.#locate(event);
    else if (hand === 'scroll') {
      this.#pull += dy;
      const steps = Math.trunc(this.#pull / SCROLL_PX);
      this.#pull -= steps * SCROLL_PX;
      if (steps !== 0) this.viewer.scroll(this.index, steps);
    }
  };

  handleUp = (event: PointerEvent): void => {
    this.#pointers.delete(event.pointerId);
  };

  handleWheel = (event: WheelEvent): void => {
    event.preventDefault();
    const { viewer, index } = this;
    viewer.activate(index);
    const { shown, image, pane } = this.glass();
    if (shown === null || image === null) return;
    if (event.ctrlKey || event.metaKey) {
      return viewer.changePane(index, zoomed(shown.state, image, pane, Math.exp(-event.deltaY / 300), this.place(event)));
    }
    // a notch is an image; a touchpad gives parts of one
    this.#wheel += event.deltaMode === 0 ? event.deltaY : event.deltaY * WHEEL_PX;
    const steps = Math.trunc(this.#wheel / WHEEL_PX);
    this.#wheel -= steps * WHEEL_PX;
    if (steps !== 0) viewer.scroll(index, Math.sign(steps));
  };

  handleKey = (event: KeyboardEvent): void => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const deed = deedOf(event.key.toLowerCase(), event.shiftKey, this.viewer.hand);
    if (deed === null) return;
    this.#do(deed);
    event.preventDefault();
  };

  turn(by: number): void {
    const { shown } = this.glass();
    if (shown === null) return;
    // mirrored, the screen turns the other way round
    const sign = shown.state.flip ? -1 : 1;
    this.viewer.changePane(this.index, { rotation: (((shown.state.rotation + by * sign) % 360) + 360) % 360 });
  }

  mirror(): void {
    const { shown } = this.glass();
    if (shown !== null) this.viewer.changePane(this.index, { flip: !shown.state.flip });
  }

  invert(): void {
    const { shown } = this.glass();
    if (shown !== null) this.viewer.changePane(this.index, { invert: !shown.state.invert });
  }

  /** Grow or shrink about the middle of the pane. */
  grow(factor: number): void {
    const { shown, image, pane } = this.glass();
    if (shown !== null && image !== null) this.viewer.changePane(this.index, zoomed(shown.state, image, pane, factor, [pane.width / 2, pane.height / 2]));
  }

  fit(): void {
    this.viewer.changePane(this.index, { centre: UPRIGHT.centre, zoom: 1 });
  }

  actual(): void {
    const { shown, image, pane } = this.glass();
    if (shown !== null && image !== null) this.viewer.changePane(this.index, actualPixels(shown.state, image, pane));
  }

  reset(): void {
    this.viewer.changePane(this.index, { ...UPRIGHT, window: null, invert: false });
  }

  #do(deed: Deed): void {
    const { viewer, index } = this;
    const { window, pane } = this.glass();
    switch (deed.kind) {
      case 'scroll':
        return viewer.scroll(index, deed.by);
      case 'window':
        if (window !== null) viewer.changePane(index, { window: stepped(window, deed.across, deed.down, deed.coarse) });
        return;
      case 'pan':
        return this.#pan(deed.x * pane.width, deed.y * pane.height);
      case 'zoom':
        return this.grow(deed.factor);
      case 'hand':
        viewer.hand = deed.hand;
        return;
      case 'turn':
        return this.turn(deed.by);
      case 'mirror':
        return this.mirror();
      case 'invert':
        return this.invert();
      case 'film':
        return viewer.toggleFilm(index);
    }
  }

  #pan(dx: number, dy: number): void {
    const { shown, matrix, pane } = this.glass();
    if (shown !== null && matrix !== null) this.viewer.changePane(this.index, panned(shown.state, matrix, dx, dy, pane));
  }

  #locate(event: At): void {
    const { matrix } = this.glass();
    if (matrix !== null) this.viewer.locate(this.index, pointAt(matrix, this.place(event)));
  }

  #dragWindow(dx: number, dy: number): void {
    const { shown, window } = this.glass();
    if (shown?.pixels == null || window === null) return;
    const { frame, minimum, maximum } = shown.pixels;
    const range = Math.abs(rescaled(frame, maximum) - rescaled(frame, minimum));
    this.viewer.changePane(this.index, { window: dragged(window, dx, dy, range) });
  }
}
