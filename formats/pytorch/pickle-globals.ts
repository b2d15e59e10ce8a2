import { dtypeOfStorage } from './dtype.ts';
import { Dict, Global, Storage, TensorView, Tuple, type Value } from './values.ts';

const ORDERED_DICT = 'collections.OrderedDict';
const REBUILD_TENSOR = 'torch._utils._rebuild_tensor_v2';
const REBUILD_PARAMETER = 'torch._utils._rebuild_parameter';

const ALLOWED: ReadonlySet<string> = new Set([ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER]);

/**
 * The symbol of a global that a state dict may name; undefined for others. Every class of storages is let
 * through, so that the tensor of a wrong one can be named.
 */
export function findGlobal(module: string, name: string): Global | undefined {
  const full = `${module}.${name}`;
  const dtype = module === 'torch' ? dtypeOfStorage(name) : undefined;
  return dtype !== undefined || ALLOWED.has(full) ? new Global(full, dtype) : undefined;
}

/**
 * What a call of the global with these arguments describes; undefined where `torch.save` writes no such call.
 */
export function construct(callable: Global, args: readonly Value[]): Value | undefined {
  switch (callable.name) {
    case ORDERED_DICT:
      return args.length === 0 ? new Dict(true) : undefined;
    case REBUILD_TENSOR:
      return tensorView(args);
    case REBUILD_PARAMETER: {
      const [tensor, requiresGrad, hooks] = args;
      const isCall = args.length === 3 && typeof requiresGrad === 'boolean' && isNoHooks(hooks);
      return isCall && tensor instanceof TensorView ? tensor : undefined;
    }
    default:
      return undefined;
  }
}

function tensorView(args: readonly Value[]): TensorView | undefined {
  const [storage, offset, shape, strides, requiresGrad, hooks] = args;
  const isCall =
    args.length === 6 &&
    storage instanceof Storage &&
    typeof offset === 'number' &&
    typeof requiresGrad === 'boolean' &&
    isNoHooks(hooks);
  if (!isCall) return undefined;
  const [sizes, steps] = [integers(shape), integers(strides)];
  return sizes && steps && sizes.length === steps.length
    ? new TensorView(storage, offset, sizes, steps)
    : undefined;
}

function integers(value: Value | undefined): readonly number[] | undefined {
  if (!(value instanceof Tuple)) return undefined;
  const numbers = value.items.filter((item) => typeof item === 'number');
  return numbers.length === value.items.length ? numbers : undefined;
}

/** Hooks would be code; `torch.save` writes an empty OrderedDict in their place. */
function isNoHooks(value: Value | undefined): boolean {
  return value instanceof Dict && value.members.size === 0;
}
