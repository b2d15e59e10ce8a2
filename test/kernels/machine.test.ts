import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openCompute } from '../../src/kernels/compute.ts';
import { machine } from '../../src/kernels/machine.ts';
import { defaultThreads } from '../../src/kernels/threads.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { setBuiltin } from '../support/fakes/set-builtin.ts';
import { fixture } from '../support/paths.ts';
import { pressFailure } from '../support/press-failure.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** A host of 64 cores and 256 GiB, of which Node.js sees no limit. */
function largeHost(t: TestContext, constrained = 0): void {
  setBuiltin(t, os, 'availableParallelism', () => 64);
  setBuiltin(t, os, 'totalmem', () => 256 * GIB);
  t.mock.method(process, 'constrainedMemory', () => constrained);
}

function root(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder(t);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  return folder;
}

describe('what a process may use of its machine', () => {
  const GROUPS = 'sys/fs/cgroup';
  const cases: readonly [
    what: string,
    files: Readonly<Record<string, string>>,
    cores: number,
    memory: number,
  ][] = [
    ['no control groups', {}, 64, 256 * GIB],
    [
      'version 2 without limits',
      {
        'proc/self/cgroup': '0::/\n',
        [`${GROUPS}/memory.max`]: 'max\n',
        [`${GROUPS}/cpu.max`]: 'max 100000\n',
      },
      ...([64, 256 * GIB] as const),
    ],
    [
      'version 2, a container that sees its own group as the root',
      {
        'proc/self/cgroup': '0::/\n',
        [`${GROUPS}/memory.max`]: `${512 * MIB}\n`,
        [`${GROUPS}/cpu.max`]: '250000 100000\n',
      },
      ...([3, 512 * MIB] as const),
    ],
    [
      'version 2, the limit on a group above, as of Slurm and systemd',
      {
        'proc/self/cgroup': '0::/job_7/step_0/task_0\n',
        [`${GROUPS}/job_7/memory.max`]: `${GIB}\n`,
        [`${GROUPS}/job_7/cpu.max`]: '50000 100000\n',
        [`${GROUPS}/job_7/step_0/task_0/memory.max`]: 'max\n',
      },
      ...([1, GIB] as const),
    ],
    [
      'version 1, a path of the host that the container does not have',
      {
        'proc/self/cgroup':
          '9:name=systemd:/docker/ab\n4:memory:/docker/ab\n1:cpu,cpuacct:/docker/ab\n0::/\n',
        [`${GROUPS}/memory/memory.limit_in_bytes`]: `${768 * MIB}\n`,
        [`${GROUPS}/cpu/cpu.cfs_quota_us`]: '400000\n',
        [`${GROUPS}/cpu/cpu.cfs_period_us`]: '100000\n',
      },
      ...([4, 768 * MIB] as const),
    ],
    [
      'version 1 without limits',
      {
        'proc/self/cgroup': '4:memory:/\n1:cpu:/\n',
        [`${GROUPS}/memory/memory.limit_in_bytes`]: '9223372036854771712\n',
        [`${GROUPS}/cpu/cpu.cfs_quota_us`]: '-1\n',
        [`${GROUPS}/cpu/cpu.cfs_period_us`]: '100000\n',
      },
      ...([64, 256 * GIB] as const),
    ],
    [
      'files that hold no numbers',
      { 'proc/self/cgroup': '0::/\n', [`${GROUPS}/memory.max`]: 'much\n', [`${GROUPS}/cpu.max`]: '\n' },
      ...([64, 256 * GIB] as const),
    ],
  ];
  for (const [what, files, cores, memory] of cases) {
    it(what, (t) => {
      largeHost(t);
      const { addressSpace, ...found } = machine(root(t, files));
      assert.deepEqual(found, { cores, memory, isConstrained: memory < 256 * GIB });
      assert.equal(addressSpace, Infinity);
    });
  }

  it('is what Node.js knows, where that is less', (t) => {
    largeHost(t, 300 * MIB);
    assert.equal(machine(root(t, {})).memory, 300 * MIB);
    // What Node.js says where version 1 has no limit.
    largeHost(t, 2 ** 64);
    assert.equal(machine(root(t, {})).isConstrained, false);
  });

  it('knows ulimit -v', (t) => {
    const limits =
      'Limit  Soft Limit  Hard Limit  Units\nMax address space         4096000000           unlimited            bytes\n';
    const files = { 'proc/self/limits': limits, 'proc/self/status': 'Name:\tnode\nVmSize:\t 1000000 kB\n' };
    assert.equal(machine(root(t, files)).addressSpace, 4096000000 - 1024 * 1000000);
    const unlimited = limits.replace('4096000000', 'unlimited ');
    assert.equal(machine(root(t, { 'proc/self/limits': unlimited })).addressSpace, Infinity);
  });
});

describe('threads by default', () => {
  const large = [{ shape: [151936, 2048] }];

  it('are as many as cores, where there is memory and work for them', (t) => {
    largeHost(t);
    assert.equal(defaultThreads(large), 64);
    assert.equal(defaultThreads([{ shape: [2048, 256] }, { shape: [256] }]), 3);
    assert.equal(defaultThreads([]), 1);
  });

  for (const [memory, most] of [
    [64 * MIB, 1],
    [512 * MIB, 7],
    [2 * GIB, 26],
  ] as const) {
    it(`are at most ${most} where a container has ${memory / MIB} MiB`, (t) => {
      largeHost(t, memory);
      assert.equal(defaultThreads(large), most);
    });
  }
});

describe('a container of little memory', () => {
  it('is told before more is taken than it has, and counts all that is open', async (t) => {
    largeHost(t, 256 * MIB);
    await assert.rejects(
      openCompute({ threads: 64, bytes: MIB }),
      pressFailure(
        'local-io',
        /^64 threads .* need some 705 MiB, expected at most 256 MiB, .*; lower --threads$/,
      ),
    );
    const first = await openCompute({ threads: 1, bytes: 100 * MIB });
    const second = () => openCompute({ threads: 1, bytes: 100 * MIB });
    await assert.rejects(second(), pressFailure('local-io', /need some 284 MiB/));
    await first.close();
    await first.close();
    await (await second()).close();
    await assert.rejects(
      openCompute({ threads: 1, bytes: 200 * MIB }),
      pressFailure('local-io', /^1 threads .* which this container has$/),
    );
  });

  it('converts all the same, with smaller chunks and fewer threads', async (t) => {
    largeHost(t, 192 * MIB);
    const output = path.join(temporaryFolder(t), 'out');
    const command = ['convert', fixture('plm-tiny'), '--to', 'gguf:q8_0', '-o', output];
    const { code, stderr } = await runCli([...command, '--threads', '64']);
    assert.equal(code, 4);
    assert.match(stderr, /64 threads/);
    assert.equal((await runCli(command)).code, 0);
  });
});
