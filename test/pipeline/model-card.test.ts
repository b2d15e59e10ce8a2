import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCard } from '../../formats/hf/card.ts';
import { type CardOptions, modelCard } from '../../src/pipeline/model-card.ts';
import type { Manifest, ManifestArtifact } from '../../src/pipeline/record/manifest.ts';
import { HOSTILE_TEXTS, UNPRINTABLE } from '../support/builders/hostile-texts.ts';
import { runCli } from '../support/drivers/run-cli.ts';

const HASH = 'a'.repeat(64);
const ERROR = { relativeRms: 0, maxAbs: 0 };

function artifact(changes: Partial<ManifestArtifact> = {}): ManifestArtifact {
  return {
    target: 'gguf:q4_k_m',
    version: '1.0.0',
    source: { format: 'safetensors', name: 'PLM-1.8B', files: [] },
    options: { recipe: 'q4_k_m' },
    passes: [],
    changes: [],
    fallbacks: [],
    tensors: [
      { name: 'a', source: 'a', scheme: 'Q4_K', shape: [8, 256], bytes: 1152, sha256: HASH, error: ERROR },
      { name: 'b', source: 'b', scheme: 'F32', shape: [256], bytes: 1024, sha256: HASH, error: ERROR },
    ],
    files: ['PLM-1.8B-Q4_K_M.gguf'],
    ...changes,
  };
}

function manifest(...artifacts: ManifestArtifact[]): Manifest {
  const files = artifacts.flatMap((made) => made.files.map((path) => ({ path, bytes: 3000, sha256: HASH })));
  return { schemaVersion: 1, tool: { name: 'plmpress', version: '1.0.0' }, files, artifacts };
}

const card = (changes: Partial<CardOptions> = {}) =>
  modelCard({ manifest: manifest(artifact()), source: {}, repository: 'me/plm', ...changes });

function bodyOf(text: string): string {
  return text.slice(text.indexOf('\n---\n'));
}

/** The lines of a card by what each is: keys of the front matter, then what Markdown makes of lines. */
function structureOf(text: string): string[] {
  const front = text
    .slice(0, text.indexOf('\n---\n'))
    .split('\n')
    .filter((line) => !/^license_/.test(line));
  const keys = front.map((line) => /^([a-z_]+:|- |---)/.exec(line)?.[0] ?? `no key: ${line}`);
  const marks = bodyOf(text)
    .split('\n')
    .map((line) => /^(#+ |\| |\|-|- |```|---|===|> |<| {4}|$)/.exec(line)?.[0] ?? 'text');
  const cells = text.split('\n').filter((line) => line.startsWith('|'));
  return [...keys, ...marks, ...cells.map((line) => `${line.split('|').length} cells`)];
}

const ORIGIN = { repository: 'PLM-Team/PLM-1.8B', revision: '0123456789abcdef0123456789abcdef01234567' };

describe('model card', () => {
  it('has front matter that reads back', () => {
    const source = {
      license: 'other',
      licenseName: 'plm licence: 1',
      licenseLink: 'https://example.org/l?a=b',
      languages: ['en', 'zh', 'no'],
      datasets: ['org/texts'],
    };
    const made = artifact({ source: { format: 'safetensors', name: 'x', files: [], origin: ORIGIN } });
    const text = card({ source, manifest: manifest(made) });
    const { baseModels, tags, ...read } = parseCard(text);
    assert.deepEqual(read, source);
    assert.deepEqual(baseModels, [ORIGIN.repository]);
    assert.deepEqual(tags, ['plm', 'gguf', 'quantized', 'edge']);
    for (const line of ['base_model_relation: quantized', 'library_name: gguf', 'quantized_by: me']) {
      assert.ok(text.split('\n').includes(line), line);
    }
    assert.match(text, /from PLM-Team\/PLM-1\.8B at 0123456789abcdef/);
    assert.match(text, /plmpress reproduce plmpress\.json\n/);
  });

  it('takes the base model that the user names first, then the record, then the card of the source', () => {
    const base = (changes: Partial<CardOptions>) => parseCard(card(changes)).baseModels;
    const known = manifest(artifact({ source: { format: 'gguf', name: 'x', files: [], origin: ORIGIN } }));
    const source = { baseModels: ['org/of-card'] };
    assert.deepEqual(base({ source, manifest: known, baseModel: 'org/given' }), ['org/given']);
    assert.deepEqual(base({ source, manifest: known }), [ORIGIN.repository]);
    assert.deepEqual(base({ source }), ['org/of-card']);
    assert.equal(base({}), undefined);
    assert.ok(!card().includes('base_model_relation'));
  });

  it('tells bytes, bits per weight and what was verified', () => {
    const verification = { tokens: 2048, meanKld: 0.0012345, top1: 0.97531, texts: [] };
    const text = card({ manifest: manifest(artifact({ verification })) });
    const bits = ((8 * (1152 + 1024)) / (8 * 256 + 256)).toFixed(2);
    assert.ok(
      text.includes(
        `| [PLM-1.8B-Q4_K_M.gguf](./PLM-1.8B-Q4_K_M.gguf) | Q4_K_M | 3,000 | ${bits} | 0.00123 | 97.53 % |`,
      ),
    );
    assert.match(text, /over 2,048 tokens\./);
  });

  it('tells options, and that a latent GGUF runs with flash attention', () => {
    const options = { recipe: 'q4_k_m', ggufArch: 'deepseek2', imatrix: 'i.gguf', imatrixSha256: HASH };
    const text = card({ manifest: manifest(artifact({ options, passes: ['prune-ffn:ratio=0.25'] })) });
    assert.match(text, /ggufArch deepseek2, imatrix i\.gguf, .*pass prune-ffn:ratio=0\.25/);
    assert.ok(!text.includes('-fa off'));
    assert.ok(parseCard(text).tags!.includes('imatrix'));
  });

  it('tells that a GGUF of arch plm needs flash attention to be off', () => {
    const text = card();
    assert.match(text, /^With llama\.cpp\. Flash attention must be off, as its architecture `plm` aborts/m);
    assert.match(text, /^llama-cli --hf-repo me\/plm --hf-file PLM-1\.8B-Q4_K_M\.gguf -fa off$/m);
  });

  it('keeps names from becoming markup', () => {
    const name = '<img src=x onerror=alert(1)>|`*\n# x';
    const text = card({
      manifest: manifest(artifact({ source: { format: 'gguf', name, files: [] }, files: ['a|b<c>.gguf'] })),
    });
    const body = text.slice(text.indexOf('# '));
    assert.ok(!body.includes('<img'), body);
    assert.ok(body.includes('[a&#124;b&#60;c&#62;.gguf](./a%7Cb%3Cc%3E.gguf)'));
  });

  for (const [what, text] of Object.entries(HOSTILE_TEXTS)) {
    it(`stays what it is whatever a file brings: ${what}`, () => {
      const hostile = card({
        manifest: manifest(
          artifact({
            version: text,
            source: { format: 'gguf', name: text, files: [] },
            passes: [text],
            options: { recipe: text, imatrix: text, [text]: text },
          }),
          artifact({ target: 'onnx:q4', options: { scheme: text }, files: ['onnx/model_q4.onnx'] }),
          artifact({ target: 'webgpu:q4', files: ['webgpu-q4/index.html'] }),
        ),
        source: {
          license: text,
          licenseName: text,
          licenseLink: text,
          baseModels: [text],
          tags: [text],
          languages: [text],
          datasets: [text],
        },
      });
      const plain = card({
        manifest: manifest(
          artifact({
            version: 'x',
            source: { format: 'gguf', name: 'x', files: [] },
            passes: ['x'],
            options: { recipe: 'x', imatrix: 'x', x: 'x' },
          }),
          artifact({ target: 'onnx:q4', options: { scheme: 'x' }, files: ['onnx/model_q4.onnx'] }),
          artifact({ target: 'webgpu:q4', files: ['webgpu-q4/index.html'] }),
        ),
        source: { license: 'other', licenseName: 'x' },
      });
      assert.deepEqual(structureOf(hostile), structureOf(plain));
      assert.doesNotMatch(hostile.replaceAll('\n', ''), UNPRINTABLE);
      assert.doesNotMatch(
        hostile,
        /<(?!\/?(details|summary|code)>|!-- written by)|\]\((?!\.\/|https:\/\/huggingface\.co\/)/,
      );
      assert.doesNotMatch(bodyOf(hostile), /(https?:\/\/|www\.)evil/i);
    });
  }

  it('names only commands and flags that there are', async () => {
    const all = manifest(
      artifact(),
      artifact({ target: 'onnx:q4', options: { scheme: 'q4' }, files: ['onnx/model_q4.onnx'] }),
      artifact({ target: 'webgpu:q4', options: { scheme: 'q4' }, files: ['webgpu-q4/index.html'] }),
    );
    const commands = [...card({ manifest: all }).matchAll(/^npx plmpress (\w+)(.*)$/gm)];
    assert.ok(commands.length >= 3);
    for (const [, command, rest] of commands) {
      const { stdout } = await runCli([command!, '--help']);
      for (const [flag] of rest!.matchAll(/ --?[a-z-]+/g))
        assert.ok(stdout.includes(flag), `${command}${flag}`);
    }
  });
});
