import { existsSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { chromium, type Page } from 'playwright-core';
import { repoRoot } from './paths.ts';
import { serveFolders } from './static-server.ts';

/** Debian's chromium, without the script around it. */
const CHROMIUM = '/usr/lib/chromium/chromium';

/** Why no page can be opened here; false where it can. */
export const NO_BROWSER: string | false =
  !existsSync(CHROMIUM) && 'chromium is not installed: nothing runs in a browser';

/** Gives pages a WebGPU adapter that computes in software, on machines with a GPU too. */
const SOFTWARE_GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

/** Root, as which containers run, has no sandbox; nothing but what the tests serve is opened. */
const NO_SANDBOX = '--no-sandbox';

const QUIET = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

/** What a bundler resolves by the packages' `exports`. */
const IMPORTS = {
  '@huggingface/transformers': '/node_modules/@huggingface/transformers/dist/transformers.web.js',
  'onnxruntime-common': '/node_modules/onnxruntime-common/dist/esm/index.js',
  'onnxruntime-web/webgpu': '/node_modules/onnxruntime-web/dist/ort.webgpu.bundle.min.mjs',
};

/** Models and WebAssembly come from here, not from hosts that the library knows. */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<script type="module">
  import { env } from '@huggingface/transformers';
  env.backends.onnx.wasm.wasmPaths = '/node_modules/onnxruntime-web/dist/';
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = '/models/';
  env.useBrowserCache = false;
  document.title = 'ready';
</script>`;

/**
 * A page of a real browser that can import transformers.js and onnxruntime-web and loads models by the names of folders
 * in `models`. `page.evaluate` runs functions in it. The browser goes when the test ends.
 */
export async function openPage(t: TestContext, models: string): Promise<Page> {
  const folders = { node_modules: path.join(repoRoot, 'node_modules'), models };
  const server = await serveFolders(folders, PAGE);
  t.after(() => server.close());
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [NO_SANDBOX, ...SOFTWARE_GPU, ...QUIET],
  });
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(server.origin);
  await page.waitForFunction('document.title === "ready"');
  return page;
}
