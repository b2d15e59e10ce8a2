import { unsupported } from './errors.ts';
import type { SchemeName } from './scheme.ts';
import { roundedScheme, type Tensor } from './tensor.ts';

export interface RoundedPlace {
  /** Name in the artifact. Left out: that of the tensor. */
  readonly name?: string;
  /** Along what blocks run there, if not along the rows of the tensor as it is stored: ` by rows`. */
  readonly along?: string;
  /** A clause that says how to avoid it in this case. */
  readonly instead?: string | undefined;
}

/**
 * Refuses to round values that have been rounded to blocks already. Blocks that stay what they are and F32,
 * which holds every decoded value, round nothing.
 * @throws PressError unsupported.
 */
export function assertRoundsOnce(tensor: Tensor, to: SchemeName, place: RoundedPlace = {}): void {
  const { name = tensor.name, along = '', instead } = place;
  const from = roundedScheme(tensor);
  if (from === undefined || to === 'F32' || (tensor.scheme === to && along === '')) return;
  const ways = ['--allow-requantize accepts that', ...(instead === undefined ? [] : [instead])].join(', ');
  throw unsupported({
    field: `tensor "${name}"`,
    what: `requantizing from ${from} to ${to}${along} adds a second error; ${ways}`,
  });
}
