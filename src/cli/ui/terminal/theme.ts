import { styleText } from 'node:util';

type Style = (text: string) => string;

/** Colours of one stream; every style leaves text as it is where colours are off. */
export interface Theme {
  readonly bold: Style;
  readonly dim: Style;
  readonly good: Style;
  readonly bad: Style;
  readonly warning: Style;
  /** Marks for eight heights, the lowest first. */
  readonly levels: string;
}

type Format = Parameters<typeof styleText>[0];

const BLOCKS = '▁▂▃▄▅▆▇█';
const ASCII = '.:-=+*#@';

export function makeTheme(colors: boolean, blocks = false): Theme {
  const style = (format: Format): Style =>
    colors ? (text) => styleText(format, text, { validateStream: false }) : (text) => text;
  return {
    bold: style('bold'),
    dim: style('dim'),
    good: style('green'),
    bad: style('red'),
    warning: style('yellow'),
    levels: blocks ? BLOCKS : ASCII,
  };
}

/**
 * Whether a stream takes colours. `--no-color` and NO_COLOR (no-color.org: any non-empty value) come before
 * FORCE_COLOR, which comes before what the terminal is.
 */
export function wantsColors(isTty: boolean, env: NodeJS.ProcessEnv, noColor: boolean): boolean {
  if (noColor || env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  return isTty && env.TERM !== 'dumb';
}

/** Whether a stream takes marks beyond ASCII: the locale is one of UTF-8, or the terminal that of Windows. */
export function wantsBlocks(env: NodeJS.ProcessEnv): boolean {
  if (env.TERM === 'dumb' || env.TERM === 'linux') return false;
  // POSIX: the first that is set counts.
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return /utf-?8/i.test(locale) || env.WT_SESSION !== undefined;
}
