import type { Command } from 'commander';
import type { RecordedPaths } from '../../../pipeline/record/recorded-source.ts';
import { collect } from '../../arguments.ts';
import { mergedAdapterOption, usedStatisticsOption } from './input-flags.ts';

/** Flags of the commands that convert again what a record describes. */
export interface RecordedFlags {
  readonly from?: string;
  readonly adapter?: string[];
  readonly imatrix?: string;
  readonly statistics?: string;
  readonly text?: string[];
}

export function withRecordedOptions(command: Command): Command {
  return command
    .option('--from <source>', 'source; default: the recorded Hub repository at the recorded commit')
    .addOption(mergedAdapterOption())
    .option('--imatrix <file>', 'importance matrix that the conversion used')
    .addOption(usedStatisticsOption())
    .option(
      '--text <file>',
      'text that --quality best read during the conversion; repeatable; default: the built-in text',
      collect,
    );
}

export function recordedPaths({ from, adapter, imatrix, statistics, text }: RecordedFlags): RecordedPaths {
  return {
    ...(from !== undefined && { from }),
    ...(adapter && { adapters: adapter }),
    ...(imatrix !== undefined && { imatrix }),
    ...(statistics !== undefined && { statistics }),
    ...(text && { texts: text }),
  };
}
