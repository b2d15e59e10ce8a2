import type { Mutation } from './mutation.ts';
import { FORMATS_MUTATIONS } from './mutations/formats.ts';
import { HUB_MUTATIONS } from './mutations/hub.ts';
import { IO_MUTATIONS } from './mutations/io.ts';
import { PASSES_MUTATIONS } from './mutations/passes.ts';
import { PIPELINE_MUTATIONS } from './mutations/pipeline.ts';
import { RUNTIME_MUTATIONS } from './mutations/runtime.ts';
import { VERIFY_MUTATIONS } from './mutations/verify.ts';

export const MUTATIONS: readonly Mutation[] = [
  ...IO_MUTATIONS,
  ...HUB_MUTATIONS,
  ...PIPELINE_MUTATIONS,
  ...PASSES_MUTATIONS,
  ...VERIFY_MUTATIONS,
  ...FORMATS_MUTATIONS,
  ...RUNTIME_MUTATIONS,
];
