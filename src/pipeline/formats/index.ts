import type { Model } from '../../core/model.ts';
import type { OptionName } from '../record/recorded-options.ts';
import { CHECKPOINT } from './checkpoint.ts';
import type { Format, UnrecordedOption } from './format.ts';
import { GGUF } from './gguf.ts';
import { ONNX } from './onnx.ts';
import type { SourceFormat } from './source-format.ts';
import { WEBGPU } from './webgpu.ts';

/** Formats that are written, by the names that targets begin with. */
export const FORMATS = { gguf: GGUF, onnx: ONNX, webgpu: WEBGPU } as const satisfies Record<string, Format>;

export type FormatName = keyof typeof FORMATS;

/** Formats that are read, in the order of precedence in a folder. */
export const SOURCE_FORMATS: readonly SourceFormat[] = [CHECKPOINT, ...Object.values(FORMATS)];

/** The format that a target begins with; undefined for an unknown one. */
export function targetFormat(target: string): FormatName | undefined {
  const name = target.slice(0, Math.max(0, target.indexOf(':')));
  return Object.hasOwn(FORMATS, name) ? (name as FormatName) : undefined;
}

/** The recipe or scheme of a target: what follows the colon. */
export function recipeOf(target: string): string {
  return target.slice(target.indexOf(':') + 1);
}

/** The format of an open model. */
export function formatOf({ format }: Pick<Model, 'format'>): SourceFormat {
  return SOURCE_FORMATS.find(({ reads }) => reads.includes(format))!;
}

/** Whether a format takes an option. */
export function takes(
  { options, unrecorded }: Pick<Format, 'options' | 'unrecorded'>,
  option: OptionName | UnrecordedOption,
): boolean {
  return [...options, ...unrecorded].includes(option);
}

/** The formats that take an option. */
export function formatsWith(option: OptionName | UnrecordedOption): FormatName[] {
  return (Object.keys(FORMATS) as FormatName[]).filter((name) => takes(FORMATS[name], option));
}
