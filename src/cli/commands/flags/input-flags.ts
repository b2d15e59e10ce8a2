import { Argument, Option } from 'commander';
import { collect, collectInteger, parseInteger } from '../../arguments.ts';
import { ScopedOption } from '../../scoped-option.ts';

/** The argument of every command that reads a model. */
export function sourceArgument(name = 'source'): Argument {
  return new Argument(`<${name}>`, 'checkpoint folder, .gguf file, artifact folder, or Hub id (org/name)');
}

/** Statistics for rounding and for passes. */
export function statisticsOption(): ScopedOption {
  return new ScopedOption(
    '--statistics <file>',
    'activation statistics from `plmpress calibrate`, for --quality best and for pruning',
  );
}

export function imatrixOption(): Option {
  return new Option('--imatrix <file>', 'importance matrix from llama-imatrix (.gguf or .dat)');
}

export function ffnWidthOption(): ScopedOption {
  return new ScopedOption(
    '--ffn-width <n>',
    'FFN width that the choice of schemes may prune to, with --statistics; repeatable',
  ).argParser(collectInteger(1));
}

/** Statistics that an artifact was made with. */
export function usedStatisticsOption(): Option {
  return new Option('--statistics <file>', 'activation statistics that the conversion used');
}

export function mergedAdapterOption(): Option {
  return new Option(
    '--adapter <dir>',
    'LoRA adapter that was merged into the source; repeatable, in the same order',
  ).argParser(collect);
}

/** The most tokens to read of some texts. */
export function tokensOption(what: string): Option {
  return new Option('--tokens <n>', `maximum number of tokens ${what}`).argParser(parseInteger(2));
}

export function calibrationTokensOption(): ScopedOption {
  return new ScopedOption('--calibration-tokens <n>', 'tokens that --quality best reads; default: all')
    .argParser(parseInteger(2))
    .needs('--quality best');
}
