/**
 * The hash SM3 (GB/T 32905-2016), fed piece by piece: no browser has it of its own.
 *
 * Words are 32 bits; a round's constant, already turned by its number, stands in `CONSTANTS`.
 */
const START = [0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e];
const BLOCK = 64;

const CONSTANTS = new Int32Array(64);
for (let j = 0; j < 64; j++) {
  const constant = j < 16 ? 0x79cc4519 : 0x7a879d8a;
  const by = j % 32;
  CONSTANTS[j] = by === 0 ? constant : (constant << by) | (constant >>> (32 - by));
}

export class Sm3 {
  readonly #state = Int32Array.from(START);
  readonly #words = new Int32Array(68);
  /** What does not fill a block yet. */
  readonly #rest = new Uint8Array(BLOCK);
  #held = 0;
  #length = 0;

  update(data: Uint8Array): this {
    this.#length += data.length;
    let at = 0;
    if (this.#held > 0) {
      at = Math.min(BLOCK - this.#held, data.length);
      this.#rest.set(data.subarray(0, at), this.#held);
      this.#held += at;
      if (this.#held < BLOCK) return this;
      this.#compress(this.#rest, 0, 1);
      this.#held = 0;
    }
    const blocks = (data.length - at) >>> 6;
    this.#compress(data, at, blocks);
    at += blocks * BLOCK;
    this.#rest.set(data.subarray(at));
    this.#held = data.length - at;
    return this;
  }

  /** The hash of all that was fed, 64 hexadecimal digits. Nothing can be fed afterwards. */
  digest(): string {
    const bits = this.#length * 8;
    const padding = new Uint8Array((this.#held < 56 ? 56 : 120) - this.#held + 8);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.length - 8, Math.floor(bits / 2 ** 32));
    view.setUint32(padding.length - 4, bits >>> 0);
    this.update(padding);
    return [...this.#state].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  #compress(data: Uint8Array, start: number, blocks: number): void {
    const state = this.#state;
    const w = this.#words;
    let s0 = state[0]!, s1 = state[1]!, s2 = state[2]!, s3 = state[3]!;
    let s4 = state[4]!, s5 = state[5]!, s6 = state[6]!, s7 = state[7]!;
    for (let at = start, end = start + blocks * BLOCK; at < end; at += BLOCK) {
      for (let j = 0, i = at; j < 16; j++, i += 4) {
        w[j] = (data[i]! << 24) | (data[i + 1]! << 16) | (data[i + 2]! << 8) | data[i + 3]!;
      }
      for (let j = 16; j < 68; j++) {
        const three = w[j - 3]!;
        const x = w[j - 16]! ^ w[j - 9]! ^ ((three << 15) | (three >>> 17));
        const thirteen = w[j - 13]!;
        w[j] = x ^ ((x << 15) | (x >>> 17)) ^ ((x << 23) | (x >>> 9)) ^ ((thirteen << 7) | (thirteen >>> 25)) ^ w[j - 6]!;
      }
      let a = s0, b = s1, c = s2, d = s3, e = s4, f = s5, g = s6, h = s7;
      // four rounds a turn: the names move on instead of the values, and stand as before after four
      for (let j = 0; j < 16; j += 4) {
        let word: number, turned: number, sum: number;
        word = w[j]!;
        turned = (a << 12) | (a >>> 20);
        sum = (turned + e + CONSTANTS[j]!) | 0;
        sum = (sum << 7) | (sum >>> 25);
        d = ((a ^ b ^ c) + d + (sum ^ turned) + (word ^ w[j + 4]!)) | 0;
        h = ((e ^ f ^ g) + h + sum + word) | 0;
        h = h ^ ((h << 9) | (h >>> 23)) ^ ((h << 17) | (h >>> 15));
        b = (b << 9) | (b >>> 23);
        f = (f << 19) | (f >>> 13);
        word = w[j + 1]!;
        turned = (d << 12) | (d >>> 20);
        sum = (turned + h + CONSTANTS[j + 1]!) | 0;
        sum = (sum << 7) | (sum >>> 25);
        c = ((d ^ a ^ b) + c + (sum ^ turned) + (word ^ w[j + 5]!)) | 0;
        g = ((h ^ e ^ f) + g + sum + word) | 0;
        g = g ^ ((g << 9) | (g >>> 23)) ^ ((g << 17) | (g >>> 15));
        a = (a << 9) | (a >>> 23);
        e = (e << 19) | (e >>> 13);
        word = w[j + 2]!;
        turned = (c << 12) | (c >>> 20);
        sum = (turned + g + CONSTANTS[j + 2]!) | 0;
        sum = (sum << 7) | (sum >>> 25);
        b = ((c ^ d ^ a) + b + (sum ^ turned) + (word ^ w[j + 6]!)) | 0;
        f = ((g ^ h ^ e) + f + sum + word) | 0;
        f = f ^ ((f << 9) | (f >>> 23)) ^ ((f << 17) | (f >>> 15));
        d = (d << 9) | (d >>> 23);
        h = (h << 19) | (h >>> 13);
        word = w[j + 3]!;
        turned = (b << 12) | (b >>> 20);
        sum = (turned + f + CONSTANTS[j + 3]!) | 0;
        sum = (sum << 7) | (sum >>> 25);
        a = ((b ^ c ^ d) + a + (sum ^ turned) + (word ^ w[j + 7]!)) | 0;
        e = ((f ^ g ^ h) + e + sum + word) | 0;
        e = e ^ ((e << 9) | (e >>> 23)) ^ ((e << 17) | (e >>> 15));
        c = (c << 9) | (c >>> 23);
        g = (g << 19) | (g >>> 13);
      }
      for (let j = 16; j < 64; j += 4) {
        let word: number, turned: number, sum: number;
        word = w[j]!;
        turned = (a << 12) | (a >>> 20);
        sum = (turned + e + CONSTANTS[j]!) | 0;
        sum = (sum << 7) | (sum >>> 25);
        d = (((a & b) | (c & (a | b))) + d + (sum ^ turned) + (word ^ w[j + 4]!)) | 0;
        h = ((g ^ (e & (f ^ g))) + h + sum + word) | 0;
        h = h ^ ((h << 9) | (h >>> 23)) ^ ((h << 17) | (h >>> 15));
        b = (b << 9) | (b >>> 23);
        f = (f << 19) | (f >>> 13);
        word = w[j + 1]!;
        turned = (d << 12) | (d >>> 20);
        sum = (turned + h + CONSTANTS[j + 1]!) | 0;
        sum = (sum << 7) | (sum >>> 25);
        c = (((d & a) | (b & (d | a))) + c + (sum ^ turned) + (word ^ w[j + 5]!)) | 0;
        g = ((f ^ (h & (e ^ f))) + g + sum + word) | 0;
        g = g ^ ((g << 9) | (g >>> 23)) ^ ((g << 17) | (g >>> 15));
        a = (a << 9) | (a >>> 23);
        e = (e << 19) | (e >>> 13);
        word = w[j + 2]!;
        turned = (c << 12) | (c >>> 20);
        sum = (turned + g + CONSTANTS[j + 2]!) | 0;
        sum = (sum << 7) | (sum >>> 25);
        b = (((c & d) | (a & (c | d))) + b + (sum ^ turned) + (word ^ w[j + 6]!)) | 0;
        f = ((e ^ (g & (h ^ e))) + f + sum + word) | 0;
        f = f ^ ((f << 9) | (f >>> 23)) ^ ((f << 17) | (f >>> 15));
        d = (d << 9) | (d >>> 23);
        h = (h << 19) | (h >>> 13);
        word = w[j + 3]!;
        turned = (b << 12) | (b >>> 20);
        sum = (turned + f + CONSTANTS[j + 3]!) | 0;
        sum = (sum << 7) | (sum >>> 25);
        a = (((b & c) | (d & (b | c))) + a + (sum ^ turned) + (word ^ w[j + 7]!)) | 0;
        e = ((h ^ (f & (g ^ h))) + e + sum + word) | 0;
        e = e ^ ((e << 9) | (e >>> 23)) ^ ((e << 17) | (e >>> 15));
        c = (c << 9) | (c >>> 23);
        g = (g << 19) | (g >>> 13);
      }
      s0 ^= a; s1 ^= b; s2 ^= c; s3 ^= d; s4 ^= e; s5 ^= f; s6 ^= g; s7 ^= h;
    }
    state[0] = s0; state[1] = s1; state[2] = s2; state[3] = s3;
    state[4] = s4; state[5] = s5; state[6] = s6; state[7] = s7;
  }
}
