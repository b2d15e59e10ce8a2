import { it } from 'node:test';
import { evaluateInDeno, NO_DENO } from '../../support/drivers/deno.ts';
import { testStack } from '../../support/drivers/stack-test.ts';
import type { WebgpuJobResult } from '../../support/drivers/webgpu-job.ts';

it('bundles of plm-tiny in Deno, whose WebGPU is wgpu', { skip: NO_DENO }, (t) =>
  testStack(t, 2, async (_, { expression }) => (await evaluateInDeno(expression)) as WebgpuJobResult),
);
