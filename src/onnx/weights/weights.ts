import { SCHEMES, type SchemeName, schemeBytes } from '../../core/scheme.ts';
import type { Compute } from '../../kernels/compute.ts';
import type { Pointer } from '../../kernels/memory.ts';
import { loadBlocks, scalesAreHalves } from './load-blocks.ts';
import { loadBytes } from './load-bytes.ts';
import { loadFloats } from './load-floats.ts';
import type { StoredMatrix } from './stored-matrix.ts';
import type { ReadInitializer, WeightRequest } from './weight-request.ts';

/** A request with the scheme that its matrix is stored in. */
export interface WeightPlan {
  readonly request: WeightRequest;
  readonly scheme: SchemeName;
  readonly rowBytes: number;
  readonly columns: number;
  readonly bytes: number;
}

/** Chooses a scheme that holds the weights exactly, for which it may read scales. */
export async function planWeight(request: WeightRequest, read: ReadInitializer): Promise<WeightPlan> {
  const scheme = await schemeFor(request, read);
  // Codes come in whole blocks of the graph's size.
  const unit = request.form === 'blocks' ? request.blockSize : SCHEMES[scheme].blockSize;
  const columns = Math.ceil(request.columns / unit) * unit;
  const rowBytes = schemeBytes(scheme, columns);
  const batch = request.form === 'floats' ? request.batch : 1;
  return { request, scheme, rowBytes, columns, bytes: batch * request.rows * rowBytes };
}

async function schemeFor(request: WeightRequest, read: ReadInitializer): Promise<SchemeName> {
  switch (request.form) {
    case 'floats':
      return request.data.type === 'float16' ? 'F16' : 'F32';
    case 'bytes':
      return 'Q8_0';
    case 'blocks': {
      const whole = request.blockSize % SCHEMES.Q4_0.blockSize === 0;
      if (!whole || !(await scalesAreHalves(request.scales, read))) return 'F32';
      return request.bits === 4 ? 'Q4_0' : 'Q8_0';
    }
  }
}

/** Brings the weights of `plan` to `pointer`. */
export async function loadWeight(
  plan: WeightPlan,
  compute: Compute,
  pointer: Pointer,
  read: ReadInitializer,
): Promise<StoredMatrix> {
  const { request, scheme, rowBytes, columns, bytes } = plan;
  const area = compute.bytes(pointer, bytes);
  if (request.form === 'floats') await loadFloats(request, area, read);
  else if (request.form === 'bytes') await loadBytes(request, area, rowBytes, read);
  else await loadBlocks(request, scheme, area, read);
  return { pointer, scheme, rowBytes, rows: request.rows, columns };
}
