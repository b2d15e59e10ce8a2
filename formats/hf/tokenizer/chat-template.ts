import { invalidInput } from '../../../src/core/errors.ts';
import { parseJson } from '../../../src/core/json/json.ts';
import type { JsonField } from '../../../src/core/json/json-field.ts';
import { CHAT_TEMPLATE_NAME } from '../../../src/core/tokenizer/tokenizer-check.ts';
import type { NamedChatTemplate, TokenizerSpec } from '../../../src/core/tokenizer/tokenizer-spec.ts';

/** Templates of real models have some kilobytes; GGUF readers load them with the metadata. */
const MAX_TEMPLATE_LENGTH = 1_000_000;
/** Models have one to four. */
const MAX_TEMPLATES = 256;

export const TEMPLATE_FILE = 'chat_template.jinja';
export const TEMPLATE_JSON = 'chat_template.json';
export const TEMPLATE_FOLDER = 'additional_chat_templates';
const DEFAULT = 'default';

/** Texts of the files that hold chat templates beside tokenizer_config.json. */
export interface ChatTemplateFiles {
  /** chat_template.jinja */
  readonly chatTemplate?: string;
  /** chat_template.json, as processors were saved before they wrote the former */
  readonly chatTemplateJson?: string;
  /** additional_chat_templates/*.jinja, by name without the ending */
  readonly additionalChatTemplates?: ReadonlyMap<string, string>;
}

type ChatTemplates = Pick<TokenizerSpec, 'chatTemplate' | 'namedChatTemplates'>;

/** A template, and what to call the place where it stands. */
interface Found {
  readonly template: string;
  readonly file: string;
  readonly field?: string;
}

/**
 * Chat templates as texts that nothing here runs. Of several with one name, that of the most recent form
 * counts, as in Transformers: a file of its own, then tokenizer_config.json, then chat_template.json. Adds to
 * `notes` where they differ and what is left out.
 */
export function readChatTemplates(
  config: JsonField,
  files: ChatTemplateFiles,
  notes: string[],
): ChatTemplates {
  const found = new Map<string, Found>();
  const take = (name: string, entry: Found) => {
    const known = found.get(name);
    if (known === undefined) found.set(name, check(entry));
    else if (known.template !== entry.template) {
      const places = `${placeOf(known)} differs from ${placeOf(entry)}`;
      notes.push(`${places}; this one is used`);
    }
  };
  for (const [name, template] of files.additionalChatTemplates ?? []) {
    take(name, { template, file: `${TEMPLATE_FOLDER}/${name}.jinja` });
  }
  if (files.chatTemplate !== undefined) {
    take(DEFAULT, { template: files.chatTemplate, file: TEMPLATE_FILE });
  }
  const json = parseJson(files.chatTemplateJson ?? '{}', TEMPLATE_JSON);
  for (const field of [config.at('chat_template'), json.at('chat_template')]) {
    for (const [name, template] of templatesOf(field)) take(name, template);
  }

  const named: NamedChatTemplate[] = [];
  for (const [name, { template, file }] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (name === DEFAULT) continue;
    if (CHAT_TEMPLATE_NAME.test(name)) named.push({ name, template });
    else notes.push(`${file}: chat template ${JSON.stringify(name)} left out, GGUF has no key for its name`);
  }
  const chatTemplate = found.get(DEFAULT)?.template;
  return {
    ...(chatTemplate !== undefined && { chatTemplate }),
    ...(named.length > 0 && { namedChatTemplates: named }),
  };
}

/** Templates by name: one text, a list of `{name, template}`, or an object of texts. */
function* templatesOf(field: JsonField): Generator<[string, Found]> {
  if (field.optional() === undefined) return;
  const entry = (template: JsonField): Found => ({
    template: template.string(),
    file: template.file,
    field: field.field,
  });
  if (Array.isArray(field.value)) {
    const items = field.items(MAX_TEMPLATES).map((item) => [item.at('name').string(), item] as const);
    // The last of one name, as in a dictionary that Transformers makes of them.
    for (const [name, item] of new Map(items)) yield [name, entry(item.at('template'))];
  } else if (field.value instanceof Map) {
    for (const [name, template] of field.entries()) yield [name, entry(template)];
  } else yield [DEFAULT, entry(field)];
}

function check(entry: Found): Found {
  const { template, file, field } = entry;
  if (template.length <= MAX_TEMPLATE_LENGTH) return entry;
  throw invalidInput({
    ...(field === undefined ? { file } : { file, field }),
    what: 'template too long',
    got: template.length,
    expected: `at most ${MAX_TEMPLATE_LENGTH} characters`,
  });
}

function placeOf({ file, field }: Found): string {
  return field === undefined ? file : `${file}: ${field}`;
}
