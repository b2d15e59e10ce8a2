/** What a file can bring as a name or a value, by what it would do where it is written as it is. */
export const HOSTILE_TEXTS: Readonly<Record<string, string>> = {
  script: '</script><script>alert(1)</script>',
  image: "<img src=x onerror=alert(1)>\"' onload='",
  comment: '--> <!-- x',
  heading: 'a\n\n# Forged heading\n\n---\nlicense: mit\n---\n',
  'setext heading': 'a\n===\nb\n---',
  link: '[click](javascript:alert(1)) ![](http://evil.example/beacon.png) [a]: http://evil.example',
  autolink: '<http://evil.example> http://evil.example www.evil.example WWW.evil.example a@evil.example',
  table: 'a | b | c\n|---|---|---|',
  code: 'a ``` b ` c\n```\nd',
  emphasis: '**a** _b_ ~~c~~ $d$ :smile: @user #1',
  yaml: 'a: b #c\n- d\n\u0085e: f\u2028g: "h"',
  escape: '\u001b[2J\u001b[31mred\u001b]8;;http://evil.example\u0007x\u001b]8;;\u0007\u009b31m\u0007\b\r',
  lines: 'a\r\nplmpress: error: forged\u2028b\u2029c\u0085d',
  direction: 'a\u202egpj.exe\u202c \u2066b\u2069 \u200b\u200e\ufeff',
  command: '::error::forged ##[error]forged ##vso[task.setvariable]x',
  shell: 'a\'; rm -rf ~; $(id) `id` "x" \\',
  prototype: '__proto__',
};

/** All of it at once. */
export const HOSTILE_TEXT = Object.values(HOSTILE_TEXTS).join(' ');

/**
 * What no text for a terminal or a log may hold: control and format characters, and line ends of other
 * systems.
 */
export const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
