/** Draws an image by its matrix on a canvas, without a GPU and without anything foreign: what everybody can see. */
import { scaled, type Matrix } from '../annotation/matrix';
import { pixelMatrix } from './layout';
import { paintPixels, type Look, type Pixels } from './pixels';

export class CanvasSurface {
  readonly #image = document.createElement('canvas');
  #painted: { pixels: Pixels; look: Look } | null = null;

  /** `matrix` leads from fractions of the image to CSS pixels of the canvas. */
  draw(canvas: HTMLCanvasElement, pixels: Pixels, look: Look, matrix: Matrix, pixelRatio: number): void {
    const context = canvas.getContext('2d');
    if (context === null) return;
    this.#paint(pixels, look);
    const { of } = pixels.frame;
    const map = pixelMatrix(scaled(matrix, pixelRatio), of);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.setTransform(map[0], map[1], map[2], map[3], map[4], map[5]);
    const scale = Math.hypot(map[0], map[1]);
    // pixel upon pixel nothing is mixed; shrunk, several become one
    context.imageSmoothingEnabled = Math.abs(scale - 1) > 1e-6;
    context.imageSmoothingQuality = scale < 1 ? 'high' : 'medium';
    context.drawImage(this.#image, 0, 0);
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  /** Draw a film's frame by the same matrix. */
  drawFilm(canvas: HTMLCanvasElement, source: CanvasImageSource, of: { columns: number; rows: number }, invert: boolean, matrix: Matrix, pixelRatio: number): void {
    const context = canvas.getContext('2d');
    if (context === null) return;
    const map = pixelMatrix(scaled(matrix, pixelRatio), of);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.setTransform(map[0], map[1], map[2], map[3], map[4], map[5]);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = Math.hypot(map[0], map[1]) < 1 ? 'high' : 'medium';
    context.filter = invert ? 'invert(1)' : 'none';
    context.drawImage(source, 0, 0, of.columns, of.rows);
    context.filter = 'none';
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  #paint(pixels: Pixels, look: Look): void {
    const before = this.#painted;
    if (before?.pixels === pixels && sameLook(before.look, look)) return;
    const { columns, rows } = pixels.frame.of;
    if (this.#image.width !== columns) this.#image.width = columns;
    if (this.#image.height !== rows) this.#image.height = rows;
    const context = this.#image.getContext('2d');
    if (context === null) return;
    const data = context.createImageData(columns, rows);
    paintPixels(pixels, look, new Uint32Array(data.data.buffer));
    context.putImageData(data, 0, 0);
    this.#painted = { pixels, look };
  }
}

function sameLook(one: Look, other: Look): boolean {
  return one.invert === other.invert && one.window?.[0] === other.window?.[0] && one.window?.[1] === other.window?.[1];
}
