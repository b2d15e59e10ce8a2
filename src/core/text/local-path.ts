/**
 * An absolute path, `~/…`, `./…`, `../…`, `$HOME/…`, `%USERPROFILE%\…`, `C:\…`, `\\host\…` or `file:`. Inside
 * of a longer text it stands after what is no part of a word, a path or an address, and an absolute one has
 * two parts at least.
 */
const LOCAL_PATH =
  /^\/[^\s/]+$|(?<![\p{L}\p{N}_./\\@-])(?:\/[^\s/\\]+\/[^\s/\\]|~[\w-]*[/\\]|\.{1,2}[/\\]|\$\{?[A-Za-z_]\w*\}?[/\\]|%\w+%[/\\]|[A-Za-z]:[/\\]|\\\\\w|file:)/u;

/** Whether a text names a place on somebody's machine, which must not get into what is published. */
export function holdsLocalPath(text: string): boolean {
  return LOCAL_PATH.test(text);
}
