const DECIMAL_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes in decimal units with three significant digits: `3.65 GB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would round to four digits.
  while (value >= 999.5 && unit < DECIMAL_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : significant(value, 3)} ${DECIMAL_UNITS[unit]}`;
}

/** The same with every byte: `3.65 GB (3,650,000,000 bytes)`. */
export function formatBytesExactly(bytes: number): string {
  return bytes < 1000 ? formatCounted(bytes, 'byte') : `${formatBytes(bytes)} (${formatCount(bytes)} bytes)`;
}

/** Groups of three digits, whatever the locale. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A count with what is counted: `1 file`, `2,709 files`. */
export function formatCounted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Parameters as the field writes them: `1.83 B`, `4.08 M`. */
export function formatParameters(count: number): string {
  if (count >= 999.5e6) return `${significant(count / 1e9, 3)} B`;
  if (count >= 999.5e3) return `${significant(count / 1e6, 3)} M`;
  return formatCount(count);
}

/** Seconds: `0.42 s`, `12.3 s`, `2:05`, `1:02:05`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return formatClock(seconds);
}

/**
 * Things per second: `1,250`, `37.5`, `0.042`; undefined where there were none, or no time to count them in.
 */
export function formatRate(perSecond: number): string | undefined {
  if (!(perSecond > 0 && Number.isFinite(perSecond))) return undefined;
  if (perSecond < 1) return formatSmall(Number(perSecond.toPrecision(2)));
  return perSecond < 100 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond));
}

/** `m:ss` or `h:mm:ss`. */
export function formatClock(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A small quantity such as an error, in three digits: `0`, `0.00123`, `1.2e-7`. */
export function formatSmall(value: number): string {
  const magnitude = Math.abs(value);
  if (value === 0 || !Number.isFinite(value)) return String(value);
  if (magnitude >= 1e-4 && magnitude < 1e4) return String(Number(value.toPrecision(3)));
  return value.toExponential(2).replace(/\.?0+e/, 'e');
}

/** A perplexity: `15.23`, `250,012`. */
export function formatPerplexity(value: number): string {
  return value < 1000 ? value.toFixed(2) : formatCount(Math.round(value));
}

/** A share in percent: `96.09 %`. */
export function formatPercent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function significant(value: number, digits: number): string {
  // 0.9996 rounds to 1.00, not to 1.000.
  const rounded = Number(value.toPrecision(digits));
  return rounded.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(rounded)))));
}

/**
 * Text of a file for a terminal: line breaks stay visible as escapes, and control characters cannot move the
 * cursor. What prints, in any script, stays. Backslashes are doubled, so that nothing passes for an escape.
 * Longer text than `limit` characters is cut, with an ellipsis.
 */
export function visible(text: string, limit = Number.POSITIVE_INFINITY): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return escapeControls(cut.replaceAll('\\', '\\\\'));
}

/** As `visible`, but for backslashes: what has been escaped stays as it is. */
export function escapeControls(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}

/** A word to paste into a shell. */
export function shellWord(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
