import path from 'node:path';
import type { Page } from 'playwright-core';
import { convert } from '../../src/pipeline/convert.ts';
import { planTargets } from '../../src/pipeline/planning/target.ts';
import { withSource } from '../../src/pipeline/sources/open.ts';
import { openPage } from '../../test/support/drivers/browser.ts';
import { CLEAR_PROMPTS } from '../../test/support/oracles/greedy.ts';
import { fixture } from '../../test/support/paths.ts';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';
import type { Cleanup } from '../cleanup.ts';
import { type Measurement, mediansInTurn } from '../measure.ts';
import { type DecoderRequest, loadDecoder, tokensPerSecond } from './decoder-page.ts';

const TARGETS = ['webgpu:q4', 'webgpu:q8', 'onnx:q4', 'gguf:q8_0'];

interface DecoderSetting {
  readonly tokens: number;
  readonly rounds: number;
}

/** Tokens a second of plm-tiny in pages of Chromium, ours beside peers on the same checkpoint. */
export async function* compareDecoders(
  cleanup: Cleanup,
  { tokens, rounds }: DecoderSetting,
): AsyncGenerator<Measurement> {
  const folder = temporaryFolder(cleanup);
  const gguf = await writeModels(folder);
  const open = async (request: DecoderRequest) => {
    const page = await openPage(cleanup, path.dirname(folder));
    await loadDecoder(page, { ...request, model: path.join(path.basename(folder), request.model) });
    return page;
  };
  const pages = {
    q4: await open({ loader: 'bundle', model: 'webgpu-q4' }),
    q8: await open({ loader: 'bundle', model: 'webgpu-q8' }),
    onnx: await open({ loader: 'transformers', model: '' }),
    wllama: await open({ loader: 'wllama', model: gguf }),
  };
  const decode = (page: Page) => () => tokensPerSecond(page, { prompt: CLEAR_PROMPTS[0]!, tokens });
  const speeds = await mediansInTurn(
    {
      q4: decode(pages.q4),
      q8: decode(pages.q8),
      onnx: decode(pages.onnx),
      wllama: decode(pages.wllama),
    },
    rounds,
  );
  const unit = 'tokens/s';
  for (const scheme of ['q4', 'q8'] as const) {
    const what = `plm-tiny ${scheme} in Chromium`;
    yield { what: `${what}: onnx:q4, transformers.js`, ours: speeds[scheme], baseline: speeds.onnx, unit };
    yield { what: `${what}: gguf:q8_0, wllama`, ours: speeds[scheme], baseline: speeds.wllama, unit };
  }
}

/** Returns the name of the GGUF file. */
function writeModels(output: string): Promise<string> {
  const source = fixture('plm-tiny');
  return withSource(source, async (model) => {
    const targets = await planTargets(model, TARGETS);
    await convert({ model, source, targets, output });
    return targets.at(-1)!.plan.files[0]!.name;
  });
}
