import { invalidInput, unsupported } from '../../src/core/errors.ts';
import type { SourceFolder } from '../../src/io/source-folder.ts';
import { TEMPLATE_FILE, TEMPLATE_FOLDER, TEMPLATE_JSON } from './tokenizer/chat-template.ts';
import { MERGES_FILE, VOCABULARY_FILE } from './tokenizer/vocabulary-files.ts';
import type { HfTokenizerFiles } from './tokenizer.ts';

const TOKENIZER_FILE = 'tokenizer.json';
/** Qwen's tokenizer.json takes 11 MB; vocabularies ten times as large do not exist. */
const MAX_TOKENIZER_BYTES = 64_000_000;
/** Limit of huggingface.js for config.json; the other small files are no larger. */
const MAX_CONFIG_BYTES = 10_000_000;
/** Models have one to four. */
const MAX_TEMPLATES = 256;
const TEMPLATE_ENDING = '.jinja';

/** Names by the member of `HfTokenizerFiles` that holds their text. */
const OPTIONAL = {
  tokenizerConfig: 'tokenizer_config.json',
  specialTokensMap: 'special_tokens_map.json',
  addedTokens: 'added_tokens.json',
  chatTemplate: TEMPLATE_FILE,
  chatTemplateJson: TEMPLATE_JSON,
} as const;

const isTemplate = (name: string) => name.toLowerCase().endsWith(TEMPLATE_ENDING);

/** Tokenizers of other kinds. */
const FOREIGN = /^(.*\.tiktoken|.*\.model|tekken\.json|vocab\.txt|spiece\.model)$/;

/**
 * Whether the tokenizer of a folder needs a file, by its path in it. `has` says which other files exist.
 */
export function isTokenizerFile(path: string, has: (name: string) => boolean): boolean {
  if (path === VOCABULARY_FILE || path === MERGES_FILE) return !has(TOKENIZER_FILE);
  const [folder, name, ...more] = path.split('/');
  if (name !== undefined) {
    return folder === TEMPLATE_FOLDER && more.length === 0 && isTemplate(name);
  }
  return path === TOKENIZER_FILE || Object.values<string>(OPTIONAL).includes(path);
}

/** Reads a file of the folder, or of `inside`, a folder in it, and records that it was read. */
export type ReadFile = (name: string, maxBytes: number, inside?: InnerFolder) => Promise<string>;

interface InnerFolder {
  /** Its path in the folder of the model. */
  readonly path: string;
  readonly folder: SourceFolder;
}

/** Reads the files that describe the tokenizer of a folder. Throws `invalid-input` where it has none. */
export async function readTokenizerFiles(folder: SourceFolder, read: ReadFile): Promise<HfTokenizerFiles> {
  const files: { -readonly [K in keyof HfTokenizerFiles]: HfTokenizerFiles[K] } = {};
  if (folder.has(TOKENIZER_FILE)) files.tokenizer = await read(TOKENIZER_FILE, MAX_TOKENIZER_BYTES);
  else {
    assertVocabulary(folder);
    files.vocabulary = await read(VOCABULARY_FILE, MAX_TOKENIZER_BYTES);
    files.merges = await read(MERGES_FILE, MAX_TOKENIZER_BYTES);
  }
  for (const [key, name] of Object.entries(OPTIONAL)) {
    if (folder.has(name)) files[key as keyof typeof OPTIONAL] = await read(name, MAX_CONFIG_BYTES);
  }
  const templates = await folder.folder(TEMPLATE_FOLDER);
  if (templates !== undefined) files.additionalChatTemplates = await readTemplates(templates, read);
  return files;
}

async function readTemplates(folder: SourceFolder, read: ReadFile): Promise<Map<string, string>> {
  const names = [...folder.entries].filter((name) => isTemplate(name)).sort();
  if (names.length > MAX_TEMPLATES) {
    const expected = `at most ${MAX_TEMPLATES}`;
    throw invalidInput({ file: TEMPLATE_FOLDER, what: 'too many templates', got: names.length, expected });
  }
  const inside = { path: TEMPLATE_FOLDER, folder };
  const templates = new Map<string, string>();
  for (const name of names) {
    templates.set(name.slice(0, -TEMPLATE_ENDING.length), await read(name, MAX_CONFIG_BYTES, inside));
  }
  return templates;
}

function assertVocabulary(folder: SourceFolder): void {
  const missing = [VOCABULARY_FILE, MERGES_FILE].filter((name) => !folder.has(name));
  if (missing.length === 0) return;
  const expected = 'tokenizer.json, as save_pretrained of Transformers writes it';
  if (missing.length === 1) {
    throw invalidInput({
      file: missing[0]!,
      what: 'missing, and tokenizer.json too',
      expected: `it, or ${expected}`,
    });
  }
  const other = [...folder.entries].sort().find((name) => FOREIGN.test(name));
  if (other !== undefined) {
    throw unsupported({ file: other, what: 'this kind of tokenizer is not read', expected });
  }
  throw invalidInput({
    file: TOKENIZER_FILE,
    what: 'missing',
    expected: `it, or ${VOCABULARY_FILE} and ${MERGES_FILE}`,
  });
}
