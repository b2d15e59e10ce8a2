import type { Mutation } from '../mutation.ts';

export const RUNTIME_MUTATIONS: readonly Mutation[] = [
  {
    file: 'src/runtime/sampling/sampler.ts',
    from: 'before >= topP * total',
    to: 'before >= (topP + 1e-3) * total',
    breaks: 'top-p is 0.001 more',
    tests: ['runtime/sampler'],
  },
  {
    file: 'src/runtime/sampling/sampler.ts',
    from: 'before >= topP * total',
    to: 'before >= (topP - 1e-3) * total',
    breaks: 'top-p is 0.001 less',
    tests: ['runtime/sampler'],
  },
];
