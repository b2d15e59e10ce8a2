import type { AttributeRule } from './form.ts';

/** How ONNX Runtime's operators of quantized matrices cut a row into blocks of codes. */
export const BLOCK_ATTRIBUTES = {
  bits: {
    type: 'int',
    value: 4,
    allows: (bits) => bits === 4 || bits === 8,
    expected: '4 or 8',
  },
  block_size: {
    type: 'int',
    required: true,
    allows: (size) => [16, 32, 64, 128, 256].includes(size),
    expected: '16, 32, 64, 128 or 256',
  },
} as const satisfies Record<string, AttributeRule>;
