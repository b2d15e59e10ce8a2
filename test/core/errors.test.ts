import assert from 'node:assert/strict';
import { it } from 'node:test';
import { invalidInput } from '../../src/core/errors.ts';

it('a long path is told by its end, which names the file', () => {
  const file = `/home/someone/.cache/huggingface/hub/${'x'.repeat(130)}/model.safetensors`;
  const { message } = invalidInput({ file, what: 'is damaged' });
  assert.match(message, /^…x+\/model\.safetensors: is damaged$/);
  assert.equal(message.length, '…'.length + 120 + ': is damaged'.length);
});

it('a path of 120 characters is told whole', () => {
  const file = `/${'y'.repeat(119)}`;
  assert.equal(invalidInput({ file, what: 'is damaged' }).message, `${file}: is damaged`);
});
