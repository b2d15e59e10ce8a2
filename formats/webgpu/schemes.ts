import { usage } from '../../src/core/errors.ts';
import type { SchemeName } from '../../src/core/scheme.ts';
import { unknownName } from '../../src/core/text/unknown-name.ts';
import type { BundleScheme, MatrixScheme } from '../../src/webgpu/planes.ts';

/** What planes of each scheme hold, taken together. */
export const STORED_SCHEMES = {
  f32: 'F32',
  f16: 'F16',
  q8: 'Q8_0',
  q4: 'Q4_0',
} as const satisfies Record<BundleScheme, SchemeName>;

export interface WebgpuScheme {
  readonly name: MatrixScheme;
  readonly summary: string;
}

export const WEBGPU_SCHEMES: readonly WebgpuScheme[] = [
  { name: 'f16', summary: '16-bit floats: nearly exact, 3.6 times the bytes of q4' },
  { name: 'q8', summary: '8 bits in blocks of 32, for every matrix' },
  {
    name: 'q4',
    summary:
      '4 bits in blocks of 32, for every matrix; --tensor-type and --token-embedding-type set exceptions',
  },
];

/** @throws PressError usage for a name that is none. */
export function webgpuSchemeNamed(name: string): WebgpuScheme {
  const scheme = WEBGPU_SCHEMES.find((known) => known.name === name.toLowerCase());
  if (scheme === undefined) {
    throw unknownName(
      'WebGPU scheme',
      name,
      WEBGPU_SCHEMES.map((known) => known.name),
    );
  }
  return scheme;
}

/**
 * The scheme of matrices that holds the same as `scheme`.
 * @throws PressError usage where there is none.
 */
export function matrixSchemeOf(scheme: SchemeName): MatrixScheme {
  const found = WEBGPU_SCHEMES.find(({ name }) => STORED_SCHEMES[name] === scheme);
  if (found === undefined) throw usage(`a WebGPU bundle cannot store a matrix as ${scheme}`, 'q4, q8 or f16');
  return found.name;
}
