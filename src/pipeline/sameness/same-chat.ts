import { chatFormOf } from '../../../formats/webgpu/chat-form.ts';
import type { BundleArtifact } from '../../../formats/webgpu/import/open.ts';
import { PressError } from '../../core/errors.ts';
import type { Model } from '../../core/model.ts';
import type { ChatForm } from '../../webgpu/manifest.ts';

/**
 * Throws `verification` where the page of a bundle spells conversations otherwise than the chat template of
 * its source. A bundle without a form does not chat.
 */
export function assertSameChat({ tokenizer }: Pick<Model, 'tokenizer'>, { manifest }: BundleArtifact): void {
  const { chat } = manifest;
  if (chat === undefined || tokenizer.chatTemplate === undefined) return;
  const form = chatFormOf(tokenizer.chatTemplate);
  // A later version may know the template.
  if (form === undefined) return;
  const members = new Set([...Object.keys(form), ...Object.keys(chat)] as (keyof ChatForm)[]);
  for (const member of members) {
    if (chat[member] === form[member]) continue;
    throw new PressError('verification', {
      file: 'manifest.json',
      field: `chat.${member}`,
      what: 'the bundle has another chat template than its source',
      got: chat[member],
      expected: form[member] === undefined ? 'nothing' : JSON.stringify(form[member]),
    });
  }
}
