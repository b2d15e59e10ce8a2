import type { Target } from '../target.ts';
import { ADAPTER } from './adapter.ts';
import { BUNDLE } from './bundle.ts';
import { CARD_TARGET } from './card.ts';
import { CHECKPOINT } from './checkpoint.ts';
import { GGUF } from './gguf.ts';
import { GRAPH } from './graph.ts';
import { IMATRIX } from './imatrix.ts';
import { LISTING } from './listing.ts';
import { PLAN_TARGET } from './plan.ts';
import { RECORD_TARGET } from './record.ts';
import { SAFETENSORS } from './safetensors.ts';
import { STATISTICS } from './statistics.ts';
import { TOKENIZER_TARGET } from './tokenizer.ts';
import { TORCH } from './torch.ts';

/** What models come in. */
export const WEIGHTS: readonly Target[] = [CHECKPOINT, SAFETENSORS, TORCH, TOKENIZER_TARGET, CARD_TARGET];

/** What plmpress writes and reads back. */
export const ARTIFACTS: readonly Target[] = [GGUF, GRAPH, BUNDLE, RECORD_TARGET];

/** What goes along with a model: statistics, adapters, plans, and what a server says. */
export const COMPANIONS: readonly Target[] = [IMATRIX, STATISTICS, ADAPTER, PLAN_TARGET, LISTING];

export const TARGETS: readonly Target[] = [...WEIGHTS, ...ARTIFACTS, ...COMPANIONS];
