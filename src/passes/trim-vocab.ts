import type { Change } from '../core/model.ts';
import { modelTensorName } from '../core/names.ts';
import { columnCount, type Tensor } from '../core/tensor.ts';
import { type Pass, withChanges } from './pass.ts';

const NAME = 'trim-vocab';

/** Removes the rows behind the last token from embedding and head. Logits of tokens stay what they were. */
export const trimVocab = {
  name: NAME,
  summary: 'remove the rows of the embedding that have no token',
  defaults: {},
  run(model) {
    const rows = model.tokenizer.tokens.length;
    const { vocabSize } = model.config;
    if (rows >= vocabSize) return model;
    const tensors = new Map(model.tensors);
    const changes: Change[] = [];
    for (const role of ['embed_tokens', 'lm_head'] as const) {
      const name = modelTensorName(role);
      const tensor = model.tensors.get(name);
      if (tensor === undefined) continue;
      tensors.set(name, firstRows(tensor, rows));
      const reason = 'padding rows are never looked up';
      changes.push({ pass: NAME, subject: name, from: `${vocabSize} rows`, to: `${rows} rows`, reason });
    }
    return withChanges(model, changes, { tensors, config: { ...model.config, vocabSize: rows } });
  },
} satisfies Pass;

function firstRows(tensor: Tensor, rows: number): Tensor {
  return { ...tensor, shape: [rows, columnCount(tensor)], readRows: tensor.readRows.bind(tensor) };
}
