import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readGguf } from '../../../formats/gguf/container/reader.ts';
import type { GgufHeader } from '../../../formats/gguf/container/types.ts';
import { type GgufOptions, planGguf } from '../../../formats/gguf/export.ts';
import { RECIPES } from '../../../formats/gguf/recipes.ts';
import type { PlmConfig } from '../../../src/core/config.ts';
import { type SchemeName, schemeOfGgmlType } from '../../../src/core/scheme.ts';
import { InputFile } from '../../../src/io/input-file.ts';
import { headerOf, writeHollowGguf } from '../../support/builders/hollow-gguf.ts';
import { hollowModel, SMALL_PLM } from '../../support/builders/hollow-model.ts';
import { randomImatrix } from '../../support/builders/imatrix-files.ts';
import { type LlamaQuantizeOptions, llamaQuantize } from '../../support/oracles/llama-quantize.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** A PLM of one head whose rows hold blocks of 256. */
function deep(layers: number, columns = 256): PlmConfig {
  return {
    ...SMALL_PLM,
    numHiddenLayers: layers,
    intermediateSizes: Array<number>(layers).fill(columns),
    hiddenSize: columns,
    kvLoraRank: columns,
    numAttentionHeads: 1,
    vHeadDim: columns,
  };
}

const schemesOf = ({ tensors }: GgufHeader) =>
  Object.fromEntries(tensors.map(({ name, type }) => [name, schemeOfGgmlType(type)]));

/** Schemes that llama-quantize chooses for a model of this geometry. */
async function chosenByLlama(
  t: TestContext,
  config: PlmConfig,
  recipe: string,
  options: LlamaQuantizeOptions = {},
) {
  const folder = temporaryFolder(t);
  const target = path.join(folder, 'theirs.gguf');
  const { fileType } = RECIPES.find(({ name }) => name === recipe)!;
  llamaQuantize(writeHollowGguf(hollowModel(config), folder), target, fileType, options);
  const file = await InputFile.open(target, 'theirs.gguf');
  t.after(() => file.close());
  return schemesOf(await readGguf(file));
}

async function chosen(config: PlmConfig, options: GgufOptions) {
  return schemesOf(await headerOf(planGguf(hollowModel(config), options)));
}

/** Geometries by what is special about them. */
const GEOMETRIES: readonly (readonly [what: string, config: PlmConfig])[] = [
  ['4 layers, which have no eighth', deep(4)],
  ['8 layers, which have no sixteenth', deep(8)],
  ['17 layers', deep(17)],
  ['32 layers', deep(32)],
  ['rows that hold no blocks of 256', deep(8, 96)],
];

describe('schemes are those of llama-quantize', () => {
  for (const [what, config] of GEOMETRIES) {
    for (const { name, needsImatrix } of RECIPES) {
      for (const imatrix of [undefined, randomImatrix(config)]) {
        if (needsImatrix && imatrix === undefined) continue;
        it(`for ${what}, in ${name}${imatrix ? ' with importances' : ''}`, async (t) => {
          const golden = await chosenByLlama(t, config, name, imatrix ? { imatrix: imatrix.entries } : {});
          assert.deepEqual(await chosen(config, { recipe: name, ...(imatrix && { imatrix }) }), golden);
        });
      }
    }
  }

  const CASES: readonly (readonly [what: string, recipe: string, options: Omit<GgufOptions, 'recipe'>])[] = [
    ['pure', 'q4_k_m', { pure: true }],
    ['pure MXFP4', 'mxfp4_moe', { pure: true }],
    ['a scheme for the embedding', 'q4_k_m', { tokenEmbedding: 'Q8_0' }],
    ['a scheme for the embedding of floats', 'f16', { tokenEmbedding: 'Q4_K' }],
    ['pure, but for the embedding', 'q5_k_s', { pure: true, tokenEmbedding: 'Q6_K' }],
    ['pure, but for a tensor type', 'q5_k_s', { pure: true, tensorTypes: [type('ffn_down', 'Q8_0')] }],
    ['a tensor type', 'q4_k_m', { tensorTypes: [type('attn_kv_a_mqa', 'Q8_0')] }],
    ['a tensor type of the base scheme', 'q4_k_m', { tensorTypes: [type('ffn_down', 'Q4_K')] }],
    ['the first of two tensor types', 'q4_k_m', { tensorTypes: [type('ffn_', 'F16'), type('down', 'Q2_K')] }],
    ['a tensor type that finds a norm', 'q4_k_m', { tensorTypes: [type('attn_norm', 'Q8_0')] }],
    ['a tensor type for the embedding', 'q3_k_m', { tensorTypes: [type('token_embd', 'Q4_K')] }],
    [
      'the embedding’s scheme before its tensor type',
      'q3_k_m',
      { tokenEmbedding: 'Q5_K', tensorTypes: [type('token_embd', 'Q4_K')] },
    ],
    ['a tensor type that moves a range', 'q4_k_s', { tensorTypes: [type('blk\\.[01]\\.ffn_down', 'Q8_0')] }],
    ['one that moves another', 'q4_k_m', { tensorTypes: [type('blk\\.(3|7)\\.(ffn|attn_kv_b)', 'Q5_0')] }],
  ];
  for (const [what, recipe, options] of CASES) {
    it(`with ${what}`, async (t) => {
      const tensorTypes = options.tensorTypes?.map(({ pattern, scheme }) => [pattern, scheme] as const);
      const { pure = false, tokenEmbedding } = options;
      const golden = await chosenByLlama(t, deep(17), recipe, {
        pure,
        ...(tokenEmbedding && { tokenEmbedding }),
        ...(tensorTypes && { tensorTypes }),
      });
      assert.deepEqual(await chosen(deep(17), { recipe, ...options }), golden);
    });
  }

  function type(pattern: string, scheme: SchemeName) {
    return { pattern, scheme };
  }
});
