import type { PlannedFile } from './export-plan.ts';

/**
 * The note on files that are larger than the shard size: a tensor, or a group of tensors, is never split.
 */
export function oversizeNotes(files: readonly PlannedFile[], limit: number | undefined): string[] {
  if (limit === undefined) return [];
  const larger = files.filter(({ bytes }) => bytes > limit);
  if (larger.length === 0) return [];
  const { name, bytes } = larger.reduce((most, file) => (file.bytes > most.bytes ? file : most));
  const which = larger.length === 1 ? '1 file is' : `${larger.length} files are`;
  const digits = (count: number) => count.toLocaleString('en-US');
  return [
    `${which} larger than --shard-size, because a tensor is never cut: ${name} has ${digits(bytes)} bytes instead of at most ${digits(limit)}`,
  ];
}
