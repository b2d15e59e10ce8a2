import { invalidInput, printable } from '../../../src/core/errors.ts';
import type { JsonField } from '../../../src/core/json-field.ts';

/** Templates of real models have some kilobytes; GGUF readers load them with the metadata. */
const MAX_TEMPLATE_LENGTH = 1_000_000;

/**
 * The chat template as a text that nothing here runs, from chat_template.jinja or else from
 * tokenizer_config.json; undefined where there is none. Adds to `notes` what it leaves out.
 */
export function readChatTemplate(
  config: JsonField,
  jinja: string | undefined,
  notes: string[],
): string | undefined {
  const field = config.at('chat_template');
  const named = field.optional() && defaultTemplate(field, notes);
  if (jinja !== undefined && named !== undefined && jinja !== named) {
    notes.push(`chat_template.jinja differs from ${field.file}: chat_template and is the one used`);
  }
  const template = jinja ?? named;
  if (template !== undefined && template.length > MAX_TEMPLATE_LENGTH) {
    throw invalidInput({
      ...(jinja === undefined ? { file: field.file, field: field.field } : { file: 'chat_template.jinja' }),
      what: 'template too long',
      got: template.length,
      expected: `at most ${MAX_TEMPLATE_LENGTH} characters`,
    });
  }
  return template;
}

/** A template, or the one named `default` in a list of `{name, template}`. */
function defaultTemplate(field: JsonField, notes: string[]): string | undefined {
  if (!Array.isArray(field.value)) return field.string();
  let template: string | undefined;
  for (const item of field.items()) {
    const name = item.at('name').string();
    if (name === 'default') template = item.at('template').string();
    else notes.push(`${field.file}: ${field.field}: template ${printable(JSON.stringify(name))} left out`);
  }
  return template;
}
