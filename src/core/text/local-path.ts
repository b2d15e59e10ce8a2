/**
 * An absolute path, `~/…`, `./…`, `../…`, `$HOME/…`, `%USERPROFILE%\…`, `C:\…`, `\\host\…` or `file:`. Within
 * a longer text, the character before it must not belong to a word, a path or an address, and an absolute
 * path needs at least two parts.
 */
const LOCAL_PATH =
  /^\/[^\s/]+$|(?<![\p{L}\p{N}_./\\@-])(?:\/[^\s/\\]+\/[^\s/\\]|~[\w-]*[/\\]|\.{1,2}[/\\]|\$\{?[A-Za-z_]\w*\}?[/\\]|%\w+%[/\\]|[A-Za-z]:[/\\]|\\\\\w|file:)/u;

/** Whether a text names a place on somebody's machine, which must not get into what is published. */
export function holdsLocalPath(text: string): boolean {
  return LOCAL_PATH.test(text);
}
