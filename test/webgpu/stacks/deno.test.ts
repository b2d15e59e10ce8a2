import { it } from 'node:test';
import { evaluateInDeno, NO_DENO } from '../../support/deno.ts';
import { testStack } from '../../support/stack-test.ts';
import type { WebgpuJobResult } from '../../support/webgpu-job.ts';

it('bundles of plm-tiny in Deno, whose WebGPU is wgpu', { skip: NO_DENO }, (t) =>
  testStack(t, 2, async (_, { expression }) => (await evaluateInDeno(expression)) as WebgpuJobResult),
);
