import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { convert } from '../../src/pipeline/convert.ts';
import { withSource } from '../../src/pipeline/open.ts';
import { planTargets, type TargetOptions } from '../../src/pipeline/target.ts';
import { type Verification, verify } from '../../src/pipeline/verify.ts';
import { fixture } from '../../test/support/paths.ts';
import type { Claim } from './claim.ts';

/** Other processors sum in the same order; only their exp and log may round in another way. */
const TOLERANCE = 0.001;

/** Figures of plm-tiny over the beginning of fixtures/text/eval.txt. */
export const DIVERGENCE_CLAIMS: readonly Claim[] = [
  ofBundle(/`webgpu:q8` .*\| ([\d.e-]+) \| ([\d.]+) %/, 'webgpu:q8'),
  ofBundle(/`webgpu:q4` .*\| ([\d.e-]+) \| ([\d.]+) %/, 'webgpu:q4'),
  ofBundle(/token-embedding-type q8` .*\| ([\d.e-]+) \| ([\d.]+) %/, 'webgpu:q4', { tokenEmbedding: 'Q8_0' }),
  {
    file: 'docs/webgpu-bundle.md',
    pattern:
      /`gguf:q4_0 --pure`, whose down_proj\s+has its blocks along the other dimension, shows ([\d.]+) there/,
    measure: async () => [(await verified('gguf:q4_0', 2048, { pure: true })).kld.mean],
    tolerance: TOLERANCE,
  },
  {
    file: 'docs/onnx.md',
    pattern: /`q4` \| [\d.e-]+ \| ([\d.e-]+) \| ([\d.]+) %/,
    measure: async () => figures(await verified('onnx:q4', 8192)),
    tolerance: TOLERANCE,
  },
];

function ofBundle(pattern: RegExp, target: string, options?: TargetOptions): Claim {
  const measure = async () => figures(await verified(target, 2048, options));
  return { file: 'docs/webgpu-bundle.md', pattern, measure, tolerance: TOLERANCE };
}

function figures({ kld, top1 }: Verification): number[] {
  return [kld.mean, 100 * top1];
}

async function verified(
  target: string,
  maxTokens: number,
  options: TargetOptions = {},
): Promise<Verification> {
  const output = mkdtempSync(path.join(tmpdir(), 'plmpress-claims-'));
  const texts = [readFileSync(fixture('text', 'eval.txt'), 'utf8')];
  try {
    return await withSource(fixture('plm-tiny'), async (model) => {
      const targets = await planTargets(model, [target], options);
      const { files } = await convert({ model, targets, output });
      return withSource(path.join(output, targets[0]!.plan.files[0]?.name ?? files[0]!.path), (artifact) =>
        verify(model, artifact, { texts, maxTokens }),
      );
    });
  } finally {
    rmSync(output, { recursive: true, force: true });
  }
}
