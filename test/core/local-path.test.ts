import assert from 'node:assert/strict';
import test from 'node:test';
import { holdsLocalPath } from '../../src/core/text/local-path.ts';

const PATHS = [
  ...[
    '/srv/alice/plm',
    '/plm',
    '~/plm',
    '~alice/plm',
    './plm',
    '../plm',
    'C:\\Users\\alice',
    'd:/models/plm',
  ],
  ...[
    '\\\\server\\share',
    'file:///srv/alice',
    'trained from /mnt/data/run-7',
    '"/srv/a b"',
    '/домой/модель',
    '.\\plm',
  ],
  ...['a=/scratch/x', '[/data/x]', 'see ~/notes'],
  ...[
    'run:/scratch/x',
    'alice@host:/srv/alice/x',
    'host:~/x',
    '$HOME/plm',
    `\${HOME}/plm`,
    '%USERPROFILE%\\plm',
  ],
];
const OTHERS = [
  ...[
    'PLM-Team/PLM-1.8B-Base',
    'plm',
    'https://huggingface.co/PLM-Team/PLM',
    'hf://org/name/file',
    'text/html',
    'a / b / c',
  ],
  ...[
    '',
    '.',
    'v1.0',
    'and/or/neither',
    '</think>',
    'apache-2.0',
    'a~b',
    'profile: x',
    'https://host:8080/a/b',
    's3://bucket/a/b',
    'base_model:finetune:org/name',
    '$5/month',
    '100%/50%',
    '1/2',
    'outputs/checkpoint-500',
    '/',
    '//',
  ],
];

test('tells paths of a machine from ids, addresses and words', () => {
  assert.deepEqual(
    PATHS.filter((text) => !holdsLocalPath(text)),
    [],
  );
  assert.deepEqual(OTHERS.filter(holdsLocalPath), []);
});
