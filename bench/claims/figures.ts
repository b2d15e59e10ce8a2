/** A number that a document states, as it is written. */
export interface Figure {
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

/** `<!-- = SOURCE ARGUMENT… -->`: what gives the figures before it. Readers do not see it. */
export interface Mark {
  readonly source: string;
  readonly args: readonly string[];
  readonly line: number;
  readonly figures: readonly Figure[];
}

export interface Figures {
  readonly marks: readonly Mark[];
  /** Figures that no mark follows. */
  readonly loose: readonly Figure[];
}

/**
 * What is no prose: blocks and spans of code, targets of links, addresses. Formulas and settings are written
 * as code.
 */
const CODE = [
  /^( *)(```+)[^\n]*\n[\s\S]*?\n\1\2 *$/gm,
  /(`+)(?!`)(?:(?!\n\s*\n)[\s\S])*?[^`]\1(?!`)/g,
  /\]\([^)\s]*\)/g,
  /\bhttps?:\/\/\S+/g,
] as const;

/**
 * Numbers that are no figures: they name a thing, and no measurement makes them another. Versions and models
 * of products, exit codes, years, widths in bits, the number of an item in a list.
 */
const NAMES = [
  /\bNode\s\d[\d.]*(?:,\s\d+)*(?:\sand\s\d+)?/g,
  /\b(?:Transformers|transformers\.js|ONNX Runtime|huggingface_hub|protobufjs|Safari|node-llama-cpp)\s\d[\d.]*/g,
  /\b[Vv]ersions?\s\d[\d.]*/g,
  /\b(?:Opset|IR|IEEE|arXiv|Apache|Raspberry Pi|Snapdragon|Gen)\s\d[\d.]*/g,
  /\bcodes?\s\d(?:\s(?:and|or)\s\d)*/g,
  /\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\s\d{4}/g,
  /(?<![\w.])\d+[ -]bits?\b/g,
  /^ *\d+\. /gm,
] as const;

const MARK = /<!-- = (?<source>\S+)(?<args>[^>]*) -->/;
const COMMENT = /<!--(?! = )[\s\S]*?-->/g;
const BLOCK = /\n\s*\n|\n *(?=[|#]|[-*] |\d+\. )/;
const NUMBER = /(?<![\w.#^]|\w-)\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?/;
const TOKEN = new RegExp(`${MARK.source}|(?<block>${BLOCK.source})|(?<number>${NUMBER.source})`, 'g');

/**
 * Every figure of a Markdown document with the mark that holds it. A figure is any number in digits outside
 * of code that is not part of a name (`NAMES`). A mark holds all figures between it and the mark before it,
 * within its block: a paragraph, an item of a list, a row of a table.
 */
export function readFigures(markdown: string): Figures {
  const marks: Mark[] = [];
  const loose: Figure[] = [];
  let open: Figure[] = [];
  for (const { groups, index } of withoutNames(markdown).matchAll(TOKEN)) {
    const { source, args = '', number } = groups!;
    const line = markdown.slice(0, index).split('\n').length;
    if (number !== undefined) {
      open.push({ text: number.replace(/,$/, ''), line });
      continue;
    }
    if (source === undefined) loose.push(...open);
    else marks.push({ source, args: args.split(/\s+/).filter(Boolean), line, figures: open });
    open = [];
  }
  return { marks, loose: [...loose, ...open] };
}

/** The same text, with a letter for every character of what holds no figure. */
function withoutNames(markdown: string): string {
  const blank = (text: string) => text.replaceAll(/[^\n]/g, 'x');
  const text = [...CODE, COMMENT].reduce((rest, pattern) => rest.replaceAll(pattern, blank), markdown);
  const parts = text.split(new RegExp(`(${MARK.source.replaceAll(/\?<\w+>/g, '?:')})`));
  return parts
    .map((part) =>
      MARK.test(part) ? part : NAMES.reduce((rest, name) => rest.replaceAll(name, blank), part),
    )
    .join('');
}
