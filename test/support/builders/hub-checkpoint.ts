import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type HubSettings, hubSettings } from '../../../src/hub/settings.ts';
import type { HubServer } from '../fakes/hub-server.ts';
import { fixture } from '../paths.ts';

export const REPOSITORY = 'PLM-Team/plm-tiny';

/** Files of the embedded checkpoint, and some that no conversion needs. */
export function checkpointFiles(): Record<string, Buffer> {
  const folder = fixture('plm-tiny');
  const names = readdirSync(folder).filter((name) => name !== 'golden.json');
  const files = Object.fromEntries(names.map((name) => [name, readFileSync(path.join(folder, name))]));
  return {
    ...files,
    '.gitattributes': Buffer.from('*.safetensors filter=lfs\n'),
    'README.md': Buffer.from('---\nlicense: cc0-1.0\nlanguage: en\n---\nA small PLM.\n'),
    'training/optimizer.bin': Buffer.alloc(300_000, 7),
    'pytorch_model.bin': Buffer.alloc(200_000, 8),
    'figure.png': Buffer.alloc(1000, 9),
  };
}

/** What a conversion needs of them. */
export const NEEDED = [
  'README.md',
  'config.json',
  'generation_config.json',
  'model.safetensors',
  'tokenizer.json',
  'tokenizer_config.json',
];

/** Settings for a Hub on loopback, which tries again at once. */
export function testSettings(server: HubServer, cache: string, env: NodeJS.ProcessEnv = {}): HubSettings {
  return { ...hubSettings({ ...server.env(cache), ...env }), pauses: [1, 1, 1], timeout: 500 };
}
