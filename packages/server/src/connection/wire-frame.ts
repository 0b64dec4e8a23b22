/** Messages as they travel from a server to its clients: one frame, whole and without a mask (RFC 6455, 5.2). */

const opcodes = { text: 0x1, binary: 0x2 } as const;
const whole = 0x80;

export function wireFrame(payload: Uint8Array, kind: keyof typeof opcodes): Buffer {
  const { length } = payload;
  const headBytes = length < 126 ? 2 : length < 1 << 16 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame[0] = whole | opcodes[kind];
  if (headBytes === 2) frame[1] = length;
  else if (headBytes === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.set(payload, headBytes);
  return frame;
}
