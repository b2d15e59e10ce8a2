import { BundleError } from '../bundle-error.ts';
import type { BundleManifest } from '../manifest.ts';

/**
 * A device with the features and limits that the bundle asks for. Throws `BundleError` `unsupported` in words
 * for people.
 */
export async function requestDevice(manifest: BundleManifest): Promise<GPUDevice> {
  const gpu = globalThis.navigator?.gpu;
  if (gpu === undefined) {
    throw new BundleError(
      'unsupported',
      'this browser has no WebGPU, or this page is not on https:// or localhost',
    );
  }
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) {
    throw new BundleError(
      'unsupported',
      'the browser has WebGPU, but finds no graphics processor that it may use',
    );
  }
  checkDevice(adapter, manifest);
  const { features, optional_features, limits } = manifest.requirements;
  try {
    return await adapter.requestDevice({
      requiredFeatures: [
        ...features,
        ...optional_features.filter((name) => adapter.features.has(name)),
      ] as GPUFeatureName[],
      requiredLimits: limits,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BundleError('unsupported', `the graphics processor cannot be used: ${reason}`, {
      cause: error,
    });
  }
}

/** Throws `BundleError` `unsupported` where an adapter or device has less than the bundle needs. */
export function checkDevice(
  { features, limits }: Pick<GPUDevice, 'features' | 'limits'>,
  { requirements }: BundleManifest,
): void {
  const missing = requirements.features.find((name) => !features.has(name));
  if (missing !== undefined) {
    throw new BundleError(
      'unsupported',
      `this model needs ${missing}, which the graphics processor does not support`,
    );
  }
  for (const [name, needed] of Object.entries(requirements.limits)) {
    const offered = limits[name as keyof GPUSupportedLimits];
    // Limits with "min" in their names are alignments: less is better.
    if (typeof offered === 'number' && (name.startsWith('min') ? offered <= needed : offered >= needed))
      continue;
    throw new BundleError(
      'unsupported',
      `the graphics processor is too small: this model needs ${name} of ${needed}, it offers ${offered ?? 'none'}`,
    );
  }
}
