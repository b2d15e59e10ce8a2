/**
 * A string as a YAML scalar on one line: plain where YAML reads it as the same text, else in double quotes,
 * with escapes for whatever does not print, as YAML takes more characters for line ends than JSON does, and
 * for what begins HTML, as front matter stands in Markdown.
 */
export function yamlScalar(text: string): string {
  const isPlain = /^[A-Za-z][\w./-]*$/.test(text) && !/^(true|false|yes|no|on|off|null|y|n)$/i.test(text);
  if (isPlain) return text;
  return JSON.stringify(text).replace(/[\p{C}\p{Zl}\p{Zp}<>&]/gu, (character) => {
    const code = character.codePointAt(0)!.toString(16);
    return code.length > 4 ? `\\U${code.padStart(8, '0')}` : `\\u${code.padStart(4, '0')}`;
  });
}
