import { createHash } from 'node:crypto';
import { usage } from '../core/errors.ts';
import { formatsWith, targetFormat } from './formats/index.ts';
import { targetNamed } from './planning/target.ts';

/** What a matrix of jobs is to cover: every model in every target, GGUFs in every size. */
export interface MatrixRequest {
  /** Sources as `openSource` takes them. */
  readonly models: readonly string[];
  readonly targets: readonly string[];
  /** As `--target-size` takes them; none: what the target itself takes. */
  readonly sizes?: readonly string[];
  /** Parts of each conversion; left out: it stays whole. */
  readonly parts?: number;
}

export interface MatrixJob {
  /**
   * Of its own and fit for the name of a file or of an artifact; `<name>.part-<i>-of-<n>` for a part of the
   * conversion `<name>`.
   */
  readonly name: string;
  readonly model: string;
  readonly target: string;
  readonly size?: string;
  /** As `--part` takes it. */
  readonly part?: string;
}

/** As GitHub Actions takes it for `strategy.matrix`. */
export interface JobMatrix {
  readonly include: readonly MatrixJob[];
}

/** GitHub makes no more jobs of one matrix. */
const MAX_JOBS = 256;
/** Leaves room for target, size and part within 255 bytes. */
const MAX_MODEL_NAME = 120;

/**
 * @throws PressError usage for unknown targets, for sizes without a GGUF, for what is given twice, and for
 * more than 256 jobs.
 */
export function jobMatrix({ models, targets, sizes = [], parts }: MatrixRequest): JobMatrix {
  const formats = targets.map(targetNamed);
  for (const [what, given] of Object.entries({ model: models, target: formats, size: sizes })) {
    const twice = given.find((value, index) => given.indexOf(value) !== index);
    if (twice !== undefined) throw usage(`${what} ${twice} is given twice`);
  }
  if (sizes.length > 0 && !formats.some(isSized)) throw usage('sizes are for GGUF targets', 'gguf:RECIPE');
  const names = modelNames(models);
  const include = models.flatMap((model, index) =>
    formats.flatMap((target) =>
      (isSized(target) && sizes.length > 0 ? sizes : [undefined]).flatMap((size) => {
        const name = [names[index]!, target.replace(':', '-'), ...(size === undefined ? [] : [size])].join(
          '-',
        );
        const job = { name: safe(name), model, target, ...(size !== undefined && { size }) };
        return parts === undefined ? [job] : partsOf(job, parts);
      }),
    ),
  );
  if (include.length > MAX_JOBS) throw usage(`${include.length} jobs`, `at most ${MAX_JOBS} in one matrix`);
  return { include };
}

function isSized(target: string): boolean {
  return formatsWith('allocation').includes(targetFormat(target)!);
}

function partsOf(job: MatrixJob, parts: number): MatrixJob[] {
  return Array.from({ length: parts }, (_, index) => ({
    ...job,
    name: `${job.name}.part-${index + 1}-of-${parts}`,
    part: `${index + 1}/${parts}`,
  }));
}

/**
 * The last part of what a model is called; where several share it in any case, with a part of the hash of the
 * whole.
 */
function modelNames(models: readonly string[]): string[] {
  const short = models.map((model) =>
    safe(model.replace(/\/+$/, '').split('/').at(-1)!).slice(0, MAX_MODEL_NAME),
  );
  const lower = short.map((name) => name.toLowerCase());
  return short.map((name, index) => {
    const isUnique = lower.indexOf(lower[index]!) === lower.lastIndexOf(lower[index]!);
    return isUnique
      ? name
      : `${name}-${createHash('sha256').update(models[index]!).digest('hex').slice(0, 8)}`;
  });
}

function safe(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[.-]+/, '') || 'model';
}
