import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { chatFormOf } from '../../../formats/webgpu/chat-form.ts';
import type { ChatForm } from '../../../src/webgpu/manifest.ts';
import { sha256Text } from '../../support/oracles/digests.ts';
import { PLM_TEMPLATE } from '../../support/oracles/plm-template.ts';
import { AutoTokenizer } from '../../support/oracles/transformers-js.ts';
import { fixture } from '../../support/paths.ts';

interface Message {
  readonly role: string;
  readonly content: string;
}

const TINY_TEMPLATE: string = JSON.parse(
  readFileSync(fixture('plm-tiny', 'tokenizer_config.json'), 'utf8'),
).chat_template;

const CONVERSATIONS: readonly (readonly Message[])[] = [
  [{ role: 'user', content: 'Call me' }],
  [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hello\n\nthere' },
    { role: 'assistant', content: '{{ no }} template' },
    { role: 'user', content: '' },
  ],
];

/** What docs/webgpu-bundle.md says of a form. */
function spell({ before, between, after, defaultSystem }: ChatForm, messages: readonly Message[]): string {
  const begins = defaultSystem !== undefined && messages[0]!.role !== 'system';
  const all = begins ? [{ role: 'system', content: defaultSystem }, ...messages] : messages;
  const said = all.map(({ role, content }) => `${before}${role}${between}${content}${after}`);
  return `${said.join('')}${before}assistant${between}`;
}

describe('known templates spell conversations as their forms do', async () => {
  const tokenizer = await AutoTokenizer.from_pretrained(fixture('plm-tiny'));
  const templates = {
    PLM: PLM_TEMPLATE,
    'plm-tiny': TINY_TEMPLATE,
    Qwen: PLM_TEMPLATE.replace('helpful assistant', 'helpful assistant.'),
    'with escapes': PLM_TEMPLATE.replaceAll('\n', '\\n'),
  };
  for (const [name, chat_template] of Object.entries(templates)) {
    it(name, () => {
      for (const messages of CONVERSATIONS) {
        const rendered = tokenizer.apply_chat_template([...messages], {
          chat_template,
          tokenize: false,
          add_generation_prompt: true,
        });
        assert.equal(spell(chatFormOf(chat_template)!, messages), rendered);
      }
    });
  }
});

it('the template of PLM is the published one', () => {
  assert.equal(PLM_TEMPLATE.length, 327);
  assert.equal(sha256Text(PLM_TEMPLATE), 'af9c0233881b083b52ff773580215222b5440ac3d0beeeca99b76329b048f8db');
});

it('others have no form', () => {
  assert.equal(chatFormOf(`${PLM_TEMPLATE} `), undefined);
  assert.equal(chatFormOf('{{ messages }}'), undefined);
});
