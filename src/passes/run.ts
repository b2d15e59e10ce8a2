import { PressError, unsupported, usage } from '../core/errors.ts';
import type { Model } from '../core/model.ts';
import { plmTensors } from '../core/names.ts';
import { knownPass, passNamed } from './index.ts';
import type { Pass, PassContext, PassOptions } from './pass.ts';

/** A pass and its options as a user writes them: `scale-ffn:alpha=0.5`. */
export interface PassRequest {
  readonly name: string;
  readonly options: Readonly<Record<string, string>>;
}

/**
 * Each pass may stack lazy tensors upon those of the one before, which read one another by recursion: the
 * stack must never decide.
 */
export const MAX_PASSES = 100;

/** Whether `text` has the form `NAME[:key=value,…]`. */
export function isPassRequest(text: string): boolean {
  try {
    parsePassRequest(text);
    return true;
  } catch {
    return false;
  }
}

/** Parses `NAME[:key=value,…]`. Throws `usage` for other text. */
export function parsePassRequest(text: string): PassRequest {
  const [, name, list] = /^([a-z-]+)(?::(.+))?$/.exec(text) ?? [];
  if (name === undefined) throw usage(`${JSON.stringify(text)} is not a pass`, 'NAME or NAME:key=value,…');
  const options: Record<string, string> = Object.create(null);
  for (const part of list?.split(',') ?? []) {
    const [, key, value] = /^([a-z-]+)=(.+)$/.exec(part) ?? [];
    if (key === undefined) throw usage(`${JSON.stringify(part)} is not a pass option`, 'key=value');
    options[key] = value!;
  }
  return { name, options };
}

/** Whether one of the passes, as text, reads statistics. */
export function readStatistics(passes: readonly string[]): boolean {
  return passes.some((text) => passNamed(parsePassRequest(text).name)?.readsStatistics);
}

/** The request as text, options in the order of the pass. */
export function printPassRequest({ name, options }: PassRequest): string {
  const list = Object.entries(options).map(([key, value]) => `${key}=${value}`);
  return list.length === 0 ? name : `${name}:${list.join(',')}`;
}

/**
 * Runs passes one after the other.
 * @throws PressError usage for more than 100, and as `runPass` does.
 */
export async function runPasses(
  model: Model,
  requests: readonly PassRequest[],
  context: PassContext = {},
): Promise<Model> {
  if (requests.length > MAX_PASSES) throw usage(`${requests.length} passes`, `at most ${MAX_PASSES}`);
  let result = model;
  for (const request of requests) result = await runPass(result, request, context);
  return result;
}

/**
 * Runs a pass and holds it to its promise: the tensors of the model that comes out are those of its geometry.
 * @throws PressError as `assertPassRuns` does; unsupported where the pass leaves what it must not.
 */
export async function runPass(model: Model, request: PassRequest, context: PassContext = {}): Promise<Model> {
  const { pass, options } = assertPassRuns(model, request);
  const result = await pass.run(model, options, context);
  if (result === model) return { ...model, notes: [...model.notes, `pass ${pass.name} finds nothing to do`] };
  assertGeometry(pass, result);
  const [broken] = pass.ensures?.(result, options) ?? [];
  if (broken !== undefined) throw unsupported({ field: `pass ${pass.name}`, what: broken });
  return result;
}

/**
 * Finds the pass of a request, with its options.
 * @throws PressError usage for an unknown pass or option; unsupported where the pass cannot run on the model,
 * with the first of its reasons.
 */
export function assertPassRuns(
  model: Model,
  request: PassRequest,
): { readonly pass: Pass; readonly options: PassOptions } {
  const pass = knownPass(request.name);
  const options = valuesOf(pass, request);
  const [reason, ...more] = pass.requires?.(model, options) ?? [];
  if (reason !== undefined) {
    const others = more.length === 0 ? '' : ` (and ${more.length} more: ${more.join('; ')})`;
    throw unsupported({ field: `pass ${pass.name}`, what: `${reason}${others}` });
  }
  return { pass, options };
}

function valuesOf({ name, defaults }: Pass, request: PassRequest): PassOptions {
  const values: Record<string, number | string> = { ...defaults };
  for (const [key, text] of Object.entries(request.options)) {
    const standard = Object.hasOwn(defaults, key) ? defaults[key] : undefined;
    if (standard === undefined) {
      const known = Object.keys(defaults).join(', ') || 'none';
      throw usage(`pass ${name} has no option ${JSON.stringify(key)}`, known);
    }
    const value = typeof standard === 'number' ? Number(text) : text;
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw usage(`pass ${name}: ${key} must be a number, not ${JSON.stringify(text)}`);
    }
    values[key] = value;
  }
  return values;
}

function assertGeometry(pass: Pass, model: Model): void {
  const slots = plmTensors(model.config);
  const broken = slots.find(({ name, shape }) => model.tensors.get(name)?.shape.join() !== shape.join());
  if (broken === undefined && slots.length === model.tensors.size) return;
  throw new PressError('unsupported', {
    field: `pass ${pass.name}`,
    what: `changes the shape of ${broken?.name}, which the config does not allow`,
  });
}
