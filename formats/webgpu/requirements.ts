import { kvCacheBytesPerToken, type PlmConfig } from '../../src/core/config.ts';
import type { BundleManifest, BundleRequirements, BundleTensor } from '../../src/webgpu/manifest.ts';
import { scaleRowBytes, valueRowBytes } from '../../src/webgpu/planes.ts';

/** The default of WebGPU, which every device has; the runtime binds larger planes in parts. */
export const MAX_BINDING = 128 << 20;

/** Tokens that a page may choose between. */
const CONTEXTS = [256, 1024, 4096];

type Planes = Pick<BundleTensor, 'scheme' | 'rows' | 'columns'>;

/** What a device must be able to do. */
export function requirementsOf(tensors: readonly Planes[]): BundleRequirements {
  const largest = Math.max(...tensors.map((tensor) => tensor.rows * valueRowBytes(tensor)));
  const binding = Math.min(MAX_BINDING, largest);
  return {
    features: [],
    optional_features: ['subgroups'],
    limits: {
      maxStorageBufferBindingSize: binding,
      maxBufferSize: binding,
      maxStorageBuffersPerShaderStage: 8,
      maxComputeInvocationsPerWorkgroup: 256,
      maxComputeWorkgroupStorageSize: 16_384,
    },
  };
}

/** Bytes of weights and of a latent cache in f16. */
export function memoryOf(config: PlmConfig, tensors: readonly Planes[]): BundleManifest['memory'] {
  const weights = tensors.reduce(
    (sum, tensor) => sum + tensor.rows * (valueRowBytes(tensor) + scaleRowBytes(tensor)),
    0,
  );
  const contexts = new Set(CONTEXTS.map((context) => Math.min(context, config.maxPositionEmbeddings)));
  return [...contexts].map((context) => ({
    context,
    bytes: weights + context * kvCacheBytesPerToken(config, 'latent'),
  }));
}
