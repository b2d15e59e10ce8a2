import { it } from 'node:test';
import { NO_DAWN, openDawn } from '../../support/drivers/dawn.ts';
import { testStack } from '../../support/drivers/stack-test.ts';
import { runWebgpuJob } from '../../support/drivers/webgpu-job.ts';
import { webgpuRuntime } from '../../support/drivers/webgpu-runtime.ts';

it('bundles of plm-tiny in Dawn for Node', { skip: NO_DAWN }, (t) =>
  testStack(t, 2, async (t, { url, job }) =>
    runWebgpuJob(await webgpuRuntime(), url, job, await openDawn(t, ['subgroups'])),
  ),
);
