import type { JsonField } from '../../../src/core/json-field.ts';
import { agrees, BYTE_LEVEL, type Expected, requireStage } from './stages.ts';

/**
 * Checks that the post-processor of tokenizer.json adds nothing to the ids of a text but bos before it, and returns
 * whether it adds that. Throws `unsupported`.
 */
export function checkPostProcessor(
  field: JsonField,
  tokens: readonly string[],
  bosTokenId: number | undefined,
): boolean {
  const stage = field.optional();
  if (stage === undefined) return false;
  if (bosTokenId !== undefined && agrees(stage.value, bosBefore(tokens[bosTokenId]!, bosTokenId)))
    return true;
  // A post-processor of this type moves offsets only, so it may be missing.
  requireStage(stage, BYTE_LEVEL, 'unknown post-processor');
  return false;
}

function bosBefore(bos: string, id: number): Expected {
  const template: Expected = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: bos } }, { Sequence: { id: 'A' } }],
    special_tokens: { [bos]: { ids: [id] } },
  };
  return { type: 'Sequence', processors: [BYTE_LEVEL, template] };
}
