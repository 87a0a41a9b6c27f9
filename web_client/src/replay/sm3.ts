/** SM3 (GB/T 32905-2016), by which a recording's frozen frames are known: browsers do not make it themselves. */

const START = [0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e] as const;
const BLOCK = 64;
/** Between so many bytes the page has its turn: some 10 ms. */
const TURN = 1 << 20;

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));

/** Section 5.3.3: the constant of each round, turned by the round's number. */
const ROUNDS = Int32Array.from({ length: 64 }, (_, round) => rotate(round < 16 ? 0x79cc4519 : 0x7a879d8a, round % 32));

/** The hash of some bytes, 64 hexadecimal digits. */
export async function sm3(data: Uint8Array): Promise<string> {
  const state = Int32Array.from(START);
  const words = new Int32Array(68);
  const whole = data.length - (data.length % BLOCK);
  for (let at = 0; at < whole; at += TURN) {
    compress(state, words, data.subarray(at, Math.min(at + TURN, whole)));
    if (at + TURN < whole) await new Promise((resolve) => setTimeout(resolve));
  }
  // section 5.2: a one, zeros, and the length in bits
  const rest = data.subarray(whole);
  const last = new Uint8Array(rest.length + 9 > BLOCK ? 2 * BLOCK : BLOCK);
  last.set(rest);
  last[rest.length] = 0x80;
  new DataView(last.buffer).setBigUint64(last.length - 8, BigInt(data.length) * 8n);
  compress(state, words, last);
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Section 5.3: take whole blocks into the state. */
function compress(state: Int32Array, w: Int32Array, blocks: Uint8Array): void {
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
  for (let at = 0; at < blocks.length; at += BLOCK) {
    for (let j = 0; j < 16; j += 1) w[j] = view.getInt32(at + 4 * j);
    for (let j = 16; j < 68; j += 1) {
      const x = w[j - 16]! ^ w[j - 9]! ^ rotate(w[j - 3]!, 15);
      w[j] = x ^ rotate(x, 15) ^ rotate(x, 23) ^ rotate(w[j - 13]!, 7) ^ w[j - 6]!;
    }
    let [a, b, c, d, e, f, g, h] = [state[0]!, state[1]!, state[2]!, state[3]!, state[4]!, state[5]!, state[6]!, state[7]!];
    for (let j = 0; j < 64; j += 1) {
      const turned = rotate(a, 12);
      const one = rotate((turned + e + ROUNDS[j]!) | 0, 7);
      const two = one ^ turned;
      const majority = j < 16 ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
      const choice = j < 16 ? e ^ f ^ g : (e & f) | (~e & g);
      const t1 = (majority + d + two + (w[j]! ^ w[j + 4]!)) | 0;
      const t2 = (choice + h + one + w[j]!) | 0;
      d = c;
      c = rotate(b, 9);
      b = a;
      a = t1;
      h = g;
      g = rotate(f, 19);
      f = e;
      e = t2 ^ rotate(t2, 9) ^ rotate(t2, 17);
    }
    state[0]! ^= a;
    state[1]! ^= b;
    state[2]! ^= c;
    state[3]! ^= d;
    state[4]! ^= e;
    state[5]! ^= f;
    state[6]! ^= g;
    state[7]! ^= h;
  }
}
