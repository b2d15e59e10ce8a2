import path from 'node:path';
import type { GgufArchitecture } from '../../../formats/gguf/architecture.ts';
import type { KvBRule, TensorType } from '../../../formats/gguf/scheme-choice.ts';
import type { CacheForm } from '../../core/config.ts';
import { usage } from '../../core/errors.ts';
import type { ExportPlan } from '../../core/export-plan.ts';
import type { SchemeName } from '../../core/scheme.ts';
import type { Quality } from '../../passes/calibrated-rounding.ts';
import type { PassRequest } from '../../passes/run.ts';
import type { Share } from '../../pipeline/parts/share.ts';
import { readImatrix } from '../../pipeline/read-imatrix.ts';
import type { TargetOptions } from '../../pipeline/target.ts';

/** What `convert` is asked for, as commander hands it over. */
export interface ConvertFlags {
  readonly to: string[];
  readonly output: string;
  readonly threads?: number;
  readonly maxMemory?: number;
  readonly shardSize?: number;
  readonly strict?: boolean;
  readonly imatrix?: string;
  readonly statistics?: string;
  readonly tensorType?: TensorType[];
  readonly tokenEmbeddingType?: SchemeName;
  readonly pure?: boolean;
  readonly kvBRule: KvBRule;
  readonly ggufArch: GgufArchitecture;
  readonly cache: CacheForm;
  readonly quality: Quality;
  readonly targetSize?: number;
  readonly ffnWidth?: number[];
  readonly plan?: string;
  readonly savePlan?: string;
  readonly allowRequantize?: boolean;
  /** Passes to run, and names of passes not to run, in the order of the command line. */
  readonly pass?: readonly (PassRequest | string)[];
  readonly adapter?: string[];
  readonly stream?: boolean;
  readonly shard?: Share;
  readonly dryRun?: boolean;
  readonly verify?: boolean;
  readonly maxKld?: number;
  readonly text?: string[];
  readonly report?: string[];
  readonly force?: boolean;
  readonly resume?: boolean;
}

/** Whether options that are for targets of some formats are given, by name. */
export type FormatOptions = readonly [formats: readonly string[], given: Readonly<Record<string, boolean>>];

/** Throws `usage` for options of one format beside targets of others, which would be forgotten in silence. */
export function assertOptionsApply(flags: ConvertFlags): void {
  const given: readonly FormatOptions[] = [
    [
      ['gguf'],
      {
        '--gguf-arch': flags.ggufArch !== 'plm',
        '--strict': flags.strict === true,
        '--pure': flags.pure === true,
        '--kv-b-rule': flags.kvBRule !== 'current',
        '--target-size': flags.targetSize !== undefined,
        '--plan': flags.plan !== undefined,
      },
    ],
    [
      ['gguf', 'webgpu'],
      {
        '--tensor-type': flags.tensorType !== undefined,
        '--token-embedding-type': flags.tokenEmbeddingType !== undefined,
      },
    ],
    [['gguf', 'onnx'], { '--imatrix': flags.imatrix !== undefined }],
    [['onnx'], { '--cache': flags.cache !== 'latent' }],
  ];
  if (flags.shard !== undefined && flags.stream) {
    throw usage('--stream takes no --shard: no part could tell that all of the source is what the Hub lists');
  }
  if (flags.shard !== undefined && flags.verify) {
    throw usage('--verify has nothing to run after one part', '`plmpress verify` after `plmpress merge`');
  }
  if (flags.shard !== undefined && flags.resume) {
    throw usage('--shard takes no --resume: a part that is lost is made again');
  }
  if (flags.report !== undefined && !flags.verify) throw usage('--report tells of --verify', '--verify');
  if (flags.maxKld !== undefined && !flags.verify)
    throw usage('--max-kld is a limit of --verify', '--verify');
  if (flags.targetSize === undefined) {
    if (flags.savePlan !== undefined) throw usage('--save-plan has nothing to write', '--target-size');
    if (flags.ffnWidth !== undefined)
      throw usage('--ffn-width is for --target-size', '--pass prune-ffn:width=N');
  }
  assertFormatsAsked(flags.to, given);
}

/** Throws `usage` for the first option whose formats none of the targets has. */
export function assertFormatsAsked(targets: readonly string[], given: readonly FormatOptions[]): void {
  for (const [formats, options] of given) {
    if (targets.some((target) => formats.some((format) => target.startsWith(`${format}:`)))) continue;
    const option = Object.keys(options).find((name) => options[name]);
    if (option === undefined) continue;
    const expected = formats.map((format) => `--to ${format}:…`).join(' or ');
    throw usage(`${option} is for ${formats.join(' and ')} targets`, expected);
  }
}

/** What the flags say about targets, which all of them share. */
export async function targetOptions(flags: ConvertFlags): Promise<TargetOptions> {
  const {
    shardSize,
    strict = false,
    tensorType = [],
    tokenEmbeddingType,
    pure = false,
    kvBRule,
    ggufArch,
    cache,
    quality,
    allowRequantize = false,
    pass = [],
  } = flags;
  return {
    ...{ arch: ggufArch, cache, quality, strict, pure, kvBRule, allowRequantize, tensorTypes: tensorType },
    passes: pass.filter((entry) => typeof entry !== 'string'),
    withoutPasses: pass.filter((entry) => typeof entry === 'string'),
    ...(shardSize !== undefined && { shardSize }),
    ...(tokenEmbeddingType !== undefined && { tokenEmbedding: tokenEmbeddingType }),
    ...(flags.imatrix !== undefined && { imatrix: await readImatrix(flags.imatrix) }),
  };
}

/** A bundle has a page of its own. */
export function assertNoReport(
  { target, files }: ExportPlan,
  output: string,
  reports: readonly string[] = [],
): void {
  const taken = reports.find((report) =>
    files.some(({ name }) => path.resolve(output, name) === path.resolve(report)),
  );
  if (taken !== undefined) throw usage(`--report and ${target} both write ${taken}`);
}
