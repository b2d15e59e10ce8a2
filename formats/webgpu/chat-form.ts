import type { ChatForm } from '../../src/webgpu/manifest.ts';

const CHATML: ChatForm = { before: '<|im_start|>', between: '\n', after: '<|im_end|>\n' };

const MESSAGE =
  "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}";
const ANSWER = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/**
 * Templates whose conversations a `ChatForm` spells. Nothing like a template engine decides: the text must be
 * the same.
 */
const KNOWN: ReadonlyMap<string, ChatForm> = new Map([
  [`{% for message in messages %}${MESSAGE}${ANSWER}`, CHATML],
  [withDefaultSystem('You are a helpful assistant'), chatml('You are a helpful assistant')],
  // Qwen's, from the same family of templates.
  [withDefaultSystem('You are a helpful assistant.'), chatml('You are a helpful assistant.')],
]);

/**
 * The form of a chat template; undefined where it is none that is known. Line breaks may be spelled as
 * escapes.
 */
export function chatFormOf(template: string): ChatForm | undefined {
  return KNOWN.get(template.replaceAll('\\n', '\n'));
}

function chatml(defaultSystem: string): ChatForm {
  return { ...CHATML, defaultSystem };
}

/** The template of PLM, with another text. Line breaks are those of the strings of the template. */
function withDefaultSystem(text: string): string {
  const system = `{{ '<|im_start|>system\n${text}<|im_end|>\n' }}`;
  return `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}${system}{% endif %}${MESSAGE}${ANSWER}`;
}
