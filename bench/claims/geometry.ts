import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { kvCacheBytesPerToken } from '../../src/core/config.ts';
import { plannedBytes } from '../../src/core/export-plan.ts';
import { DEVICES } from '../../src/pipeline/plan/devices.ts';
import { predict } from '../../src/pipeline/plan/predict.ts';
import { planTarget, type TargetOptions } from '../../src/pipeline/target.ts';
import { hollowModel, PLM_1_8B } from '../../test/support/hollow-model.ts';
import { repoRoot } from '../../test/support/paths.ts';
import type { Claim } from './claim.ts';

/** Figures that follow from the geometry of PLM-1.8B: nothing is read, nothing may be off. */
export const GEOMETRY_CLAIMS: readonly Claim[] = [
  exact('README.md', /PLM-1\.8B has ([\d.]+) GB in `q4_k_m`/, gigabytes('gguf:q4_k_m')),
  exact('docs/gguf.md', /tensors in `q4_k_m` \| ([\d.]+) GB/, gigabytes('gguf:q4_k_m')),
  exact(
    'docs/gguf.md',
    /GB \| ([\d.]+) GB, for ffn_gate repeats/,
    gigabytes('gguf:q4_k_m', { arch: 'deepseek2' }),
  ),
  exact(
    'docs/gguf.md',
    /KV cache in f16 \| ([\d,]+) bytes a token, [\d,]+ MiB for 4,096 \| ([\d,]+) bytes/,
    cacheBytes,
  ),
  exact('docs/webgpu.md', /c' and k_pe in f16, ([\d,]+) bytes a token of PLM-1\.8B/, async () => [
    (await cacheBytes())[1]!,
  ]),
  exact('docs/onnx.md', /`onnx:f32` .*\| ([\d.]+) GB \|/, gigabytes('onnx:f32')),
  exact('docs/onnx.md', /`onnx:f16` .*\| ([\d.]+) GB \|/, gigabytes('onnx:f16')),
  exact('docs/onnx.md', /`onnx:q8` .*\| ([\d.]+) GB \|/, gigabytes('onnx:q8')),
  exact('docs/onnx.md', /`onnx:q4` .*\| ([\d.]+) GB \|/, gigabytes('onnx:q4')),
  exact('docs/onnx.md', /`onnx:q4f16` .*\| ([\d.]+) GB \|/, gigabytes('onnx:q4f16')),
  exact('docs/webgpu-bundle.md', /`webgpu:f16` \| F16 \| ([\d.]+) GB/, gigabytes('webgpu:f16')),
  exact('docs/webgpu-bundle.md', /`webgpu:q8` .*?\| ([\d.]+) GB/, gigabytes('webgpu:q8')),
  exact('docs/webgpu-bundle.md', /`webgpu:q4` .*?\| ([\d.]+) GB/, gigabytes('webgpu:q4')),
  exact(
    'docs/webgpu-bundle.md',
    /token-embedding-type q8` \| .*?\| ([\d.]+) GB/,
    gigabytes('webgpu:q4', { tokenEmbedding: 'Q8_0' }),
  ),
  exact('docs/planning.md', /the cache of ([\d,]+) MB is\s+larger than the weights/, async () => [
    (4096 * kvCacheBytesPerToken(PLM_1_8B, 'expanded')) / 1e6,
  ]),
  exact('docs/planning.md', /falls from ([\d.]+) to ([\d.]+) tokens a second/, raspberryRates),
  exact('README.md', /a runtime of (\d+) kB gzipped/, runtimeKilobytes),
];

function exact(file: string, pattern: RegExp, measure: Claim['measure']): Claim {
  return { file, pattern, measure, tolerance: 0 };
}

/** Of the tensors of a target. */
function gigabytes(target: string, options: TargetOptions = {}): Claim['measure'] {
  return async () => {
    const { plan } = await planTarget(hollowModel(PLM_1_8B), target, options);
    const tensors = plan.files.flatMap((file) => file.tensors);
    return [tensors.reduce((sum, tensor) => sum + plannedBytes(tensor), 0) / 1e9];
  };
}

async function cacheBytes(): Promise<readonly number[]> {
  return [kvCacheBytesPerToken(PLM_1_8B, 'expanded'), kvCacheBytesPerToken(PLM_1_8B, 'latent')];
}

async function raspberryRates(): Promise<readonly number[]> {
  const model = hollowModel(PLM_1_8B);
  const target = await planTarget(model, 'gguf:q4_k_m', { kvBRule: '2025-03' });
  const devices = DEVICES.filter(({ name }) => name === 'raspberry-pi-5');
  const { empty, full } = predict(model, [target], { devices, context: 4096 }).targets[0]!.devices[0]!
    .tokensPerSecond;
  return [empty, full];
}

async function runtimeKilobytes(): Promise<readonly number[]> {
  const file = path.join(repoRoot, 'dist', 'src', 'webgpu', 'runtime.js');
  return [gzipSync(readFileSync(file)).length / 1000];
}
