import type { PlmConfig } from '../../src/core/config.ts';
import { invalidInput } from '../../src/core/errors.ts';
import { modelTensorName } from '../../src/core/names.ts';
import { byteLength, type Tensor } from '../../src/core/tensor.ts';
import type { Checkpoint, StoredTensor } from './checkpoint.ts';
import type { HfConfig } from './config.ts';

const EMBEDDING = modelTensorName('embed_tokens');
const HEAD = modelTensorName('lm_head');
/** Compared at a time; two such chunks are in memory. */
const CHUNK_BYTES = 1 << 20;

export interface SettledHead {
  readonly plm: PlmConfig;
  readonly notes: readonly string[];
}

/**
 * Decides whether the head is tied where a file has both matrices, which it compares. Equal ones are tied. Where they differ and config.json
 * ties them, Transformers 4 drops the head and Transformers 5 uses it: one of them is not the model that was trained, so the file is refused.
 * Where config.json is silent, both use the head.
 */
export async function settleHead(
  { plm, tied }: Pick<HfConfig, 'plm' | 'tied'>,
  { tensors }: Checkpoint,
): Promise<SettledHead> {
  const [embedding, head] = [tensors.get(EMBEDDING), tensors.get(HEAD)];
  if (tied === false || head === undefined || embedding === undefined) return { plm, notes: [] };
  // A wrong shape is a fault that the table of tensors tells.
  if (head.shape.join() !== embedding.shape.join()) return { plm, notes: [] };
  if (await equal(embedding, head)) {
    const notes = [`${head.name} ignored: it equals ${embedding.name}, to which it is tied`];
    return { plm: { ...plm, tieWordEmbeddings: true }, notes };
  }
  if (tied) {
    throw invalidInput({
      file: head.file.name,
      field: `tensor ${JSON.stringify(head.name)}`,
      what: 'differs from the embedding, to which config.json ties it; set tie_word_embeddings to false to keep this head',
    });
  }
  const notes = [
    `config.json lacks tie_word_embeddings: ${head.name} differs from the embedding and is used`,
  ];
  return { plm: { ...plm, tieWordEmbeddings: false }, notes };
}

/** Whether two tensors of one shape hold the same bytes in the same dtype. */
async function equal(a: StoredTensor, b: StoredTensor): Promise<boolean> {
  if (a.dtype !== b.dtype || a.scheme === undefined) return false;
  // As torch.save stores tied weights.
  if (a.file === b.file && a.offset === b.offset) return true;
  const bytes = byteLength({ scheme: a.scheme, shape: a.shape } satisfies Pick<Tensor, 'scheme' | 'shape'>);
  const chunks = [a, b].map(() => Buffer.alloc(Math.min(CHUNK_BYTES, bytes)));
  for (let at = 0; at < bytes; at += CHUNK_BYTES) {
    const count = Math.min(CHUNK_BYTES, bytes - at);
    const [first, second] = chunks.map((chunk) => chunk.subarray(0, count));
    await a.file.readInto(first!, a.offset + at);
    await b.file.readInto(second!, b.offset + at);
    if (!first!.equals(second!)) return false;
  }
  return true;
}
