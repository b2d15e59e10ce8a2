import { it } from 'node:test';
import { NO_DAWN } from '../../support/dawn.ts';
import { evaluateInDeno } from '../../support/deno.ts';
import { testStack } from '../../support/stack-test.ts';
import type { WebgpuJobResult } from '../../support/webgpu-job.ts';

it('bundles of plm-tiny in Deno, whose WebGPU is wgpu', { skip: NO_DAWN }, (t) =>
  testStack(t, async (_, { expression }) => (await evaluateInDeno(expression)) as WebgpuJobResult),
);
