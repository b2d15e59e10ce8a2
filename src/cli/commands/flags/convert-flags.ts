import type { GgufArchitecture } from '../../../../formats/gguf/architecture.ts';
import type { KvBRule } from '../../../../formats/gguf/scheme-choice.ts';
import type { CacheForm } from '../../../core/config.ts';
import type { TensorType } from '../../../core/export-plan.ts';
import type { SchemeName } from '../../../core/scheme.ts';
import type { Quality } from '../../../passes/rounding/calibrated-rounding.ts';
import type { PassRequest } from '../../../passes/run.ts';
import type { Share } from '../../../pipeline/parts/share.ts';
import type { PressRequest } from '../../../press/request.ts';

/** The options of `convert`, as commander parses them. */
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
  readonly schemes?: string;
  readonly saveSchemes?: string;
  readonly allowRequantize?: boolean;
  /** Passes to run, and names of passes not to run, in the order of the command line. */
  readonly pass?: readonly (PassRequest | string)[];
  readonly adapter?: string[];
  readonly stream?: boolean;
  readonly part?: Share;
  readonly dryRun?: boolean;
  readonly verify?: boolean;
  readonly maxKld?: number;
  readonly text?: string[];
  readonly calibrationTokens?: number;
  readonly report?: string[];
  readonly force?: boolean;
  readonly resume?: boolean;
}

/** The request of a command line. */
export function pressRequest(source: string, flags: ConvertFlags): PressRequest {
  return {
    source,
    targets: flags.to,
    output: flags.output,
    options: targetOptions(flags),
    adapters: flags.adapter,
    imatrix: flags.imatrix,
    statistics: flags.statistics,
    texts: flags.text,
    calibrationTokens: flags.calibrationTokens,
    targetSize: flags.targetSize,
    ffnWidths: flags.ffnWidth,
    saveSchemes: flags.saveSchemes,
    schemes: flags.schemes,
    stream: flags.stream,
    share: flags.part,
    dryRun: flags.dryRun,
    force: flags.force,
    resume: flags.resume,
    threads: flags.threads,
    maxMemory: flags.maxMemory,
    verify: flags.verify,
    maxKld: flags.maxKld,
    reports: flags.report,
  };
}

function targetOptions(flags: ConvertFlags): PressRequest['options'] {
  const { cache, quality, kvBRule, strict = false, pure = false, allowRequantize = false } = flags;
  const { shardSize, tokenEmbeddingType: tokenEmbedding, tensorType: tensorTypes = [], pass = [] } = flags;
  return {
    arch: flags.ggufArch,
    cache,
    quality,
    strict,
    pure,
    kvBRule,
    allowRequantize,
    tensorTypes,
    passes: pass.filter((entry) => typeof entry !== 'string'),
    withoutPasses: pass.filter((entry) => typeof entry === 'string'),
    ...(shardSize !== undefined && { shardSize }),
    ...(tokenEmbedding !== undefined && { tokenEmbedding }),
  };
}
