import { Option } from 'commander';
import type { AttentionForm, FfnForm } from '../../../pipeline/logits.ts';
import { parseInteger } from '../../arguments.ts';

/** Flags of the commands that run a model. */
export interface RuntimeFlags {
  readonly attention: AttentionForm;
  readonly threads?: number;
}

/** More threads than this only wait for each other. */
const MAX_THREADS = 256;

export function attentionOption(): Option {
  return new Option('--attention <form>', 'what the KV cache stores: the latent, or expanded keys and values')
    .choices(['expanded', 'latent'] satisfies AttentionForm[])
    .default('latent');
}

export function ffnOption(): Option {
  return new Option('--ffn <form>', 'FFN; sparse: skip the weights of down_proj of silent neurons')
    .choices(['dense', 'sparse'] satisfies FfnForm[])
    .default('dense');
}

export function threadsOption(): Option {
  return new Option('--threads <n>', 'number of threads; default: by cores, memory and model size').argParser(
    parseInteger(1, MAX_THREADS),
  );
}
