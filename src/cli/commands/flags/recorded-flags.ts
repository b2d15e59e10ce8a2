import type { Command } from 'commander';
import type { RecordedPaths } from '../../../pipeline/record/recorded-source.ts';
import { collect } from '../../arguments.ts';

/** Flags of the commands that make something again that a record tells of. */
export interface RecordedFlags {
  readonly from?: string;
  readonly adapter?: string[];
  readonly imatrix?: string;
  readonly statistics?: string;
}

export function withRecordedOptions(command: Command): Command {
  return command
    .option('--from <source>', 'the source; default: the recorded repository of the Hub at its commit')
    .option('--adapter <dir>', 'an adapter that was merged into it; repeatable, in the same order', collect)
    .option('--imatrix <file>', 'the importances that were used')
    .option('--statistics <file>', 'the statistics that were used');
}

export function recordedPaths({ from, adapter, imatrix, statistics }: RecordedFlags): RecordedPaths {
  return {
    ...(from !== undefined && { from }),
    ...(adapter && { adapters: adapter }),
    ...(imatrix !== undefined && { imatrix }),
    ...(statistics !== undefined && { statistics }),
  };
}
