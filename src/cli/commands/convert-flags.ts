import path from 'node:path';
import type { GgufArchitecture } from '../../../formats/gguf/architecture.ts';
import type { KvBRule } from '../../../formats/gguf/scheme-choice.ts';
import type { CacheForm } from '../../core/config.ts';
import { usage } from '../../core/errors.ts';
import type { ExportPlan, TensorType } from '../../core/export-plan.ts';
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
