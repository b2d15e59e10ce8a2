import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MOMENT_ROLES } from '../../../calibration/moments.ts';
import { calibrate } from '../../../src/pipeline/calibration/calibrate.ts';
import { bundledTexts } from '../../../src/pipeline/calibration/calibration-text.ts';
import { convert } from '../../../src/pipeline/convert.ts';
import type { Engine } from '../../../src/pipeline/engines/index.ts';
import { planTargets } from '../../../src/pipeline/planning/target.ts';
import type { TargetOptions } from '../../../src/pipeline/planning/target-options.ts';
import { withSource } from '../../../src/pipeline/sources/open.ts';
import { withStatistics } from '../../../src/pipeline/sources/open-statistics.ts';
import { type Verification, verify } from '../../../src/pipeline/verify.ts';
import { Tokenizer } from '../../../src/tokenizer/tokenizer.ts';
import { PLM_TEMPLATE } from '../../../test/support/oracles/plm-template.ts';
import { qwenSpec } from '../../../test/support/oracles/qwen-vocabulary.ts';
import { fixture } from '../../../test/support/paths.ts';
import { exact, type Source } from '../source.ts';
import { targetOptions } from './target-options.ts';

/** Other processors sum in the same order; only their exp and log may round in another way. */
const TOLERANCE = 0.001;
/** Other engines sum in an order of their own, by the vectors of the processor. */
const ENGINE_TOLERANCE = 0.02;
const ONNX_TOKENS = 8192;
const BUNDLE_TOKENS = 2048;

/** Figures of plm-tiny. Divergences are over the beginning of fixtures/text/eval.txt. */
export const MEASURED_SOURCES: Readonly<Record<string, Source>> = {
  /** `bundle TARGET [OPTION…]`: mean KLD, and share in % of positions with the same likeliest token. */
  bundle: {
    measure: async ([target = '', ...words]) => {
      const { kld, top1 } = await verified(target, BUNDLE_TOKENS, targetOptions(words));
      return [kld.mean, 100 * top1];
    },
    tolerance: TOLERANCE,
    slow: 2,
  },
  /** `bundle-kld TARGET [OPTION…]`. */
  'bundle-kld': {
    measure: async ([target = '', ...words]) => [
      (await verified(target, BUNDLE_TOKENS, targetOptions(words))).kld.mean,
    ],
    tolerance: TOLERANCE,
    slow: 1,
  },
  /** `graph TARGET [quality=best]`: mean KLD in ONNX Runtime and in the interpreter, and top-1 in %. */
  graph: {
    measure: async ([target = '', ...words]) => {
      const options = targetOptions(words);
      const theirs = await verified(target, ONNX_TOKENS, options, 'onnxruntime');
      const { kld, top1 } = await verified(target, ONNX_TOKENS, options);
      return [theirs.kld.mean, kld.mean, 100 * top1];
    },
    tolerance: ENGINE_TOLERANCE,
    slow: 3,
  },
  /** `text-tokens NAME`: of fixtures/text/NAME.txt. */
  'text-tokens': exact(([name]) =>
    withSource(fixture('plm-tiny'), async (model) => [
      new Tokenizer(model.tokenizer).encode(text(name!)).length,
    ]),
  ),
  /** `bundled-text`: tokens of the vocabulary of PLM-1.8B, with its chat template, and passages. */
  'bundled-text': exact(async () => {
    const spec = { ...qwenSpec(), chatTemplate: PLM_TEMPLATE };
    const tokenizer = new Tokenizer(spec);
    const texts = await bundledTexts(spec);
    const lengths = texts.map(({ text, chat = false }) => tokenizer.encode(text, { special: chat }).length);
    return [lengths.reduce((sum, length) => sum + length, 0), texts.length];
  }),
};

function text(name: string): string {
  return readFileSync(fixture('text', `${name}.txt`), 'utf8');
}

async function verified(
  target: string,
  maxTokens: number,
  options: TargetOptions,
  engine?: Engine,
): Promise<Verification> {
  const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-claims-'));
  const statisticsFile = path.join(folder, 'statistics.gguf');
  const output = path.join(folder, 'out');
  const source = fixture('plm-tiny');
  try {
    return await withSource(source, async (model) => {
      if (options.quality === 'best') {
        const texts = [{ name: 'calibration', text: text('calibration'), weight: 1 }];
        await calibrate({ model, source, texts, output: statisticsFile, moments: MOMENT_ROLES });
      }
      return withStatistics(options.quality && statisticsFile, async (statistics) => {
        const targets = await planTargets(model, [target], { ...options, ...(statistics && { statistics }) });
        const { files } = await convert({ model, targets, output });
        const artifact = path.join(output, targets[0]!.plan.files[0]?.name ?? files[0]!.path);
        return withSource(artifact, (opened) =>
          verify(model, opened, { texts: [text('eval')], maxTokens, ...(engine && { engine }) }),
        );
      });
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
