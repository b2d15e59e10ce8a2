import { existsSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { serveFolders } from '../fakes/static-server.ts';
import { repoRoot } from '../paths.ts';

/** Debian's is a script around the first of these. */
const PATHS = ['/usr/lib/chromium/chromium', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome.exe'];

const CHROMIUM = findChromium();

/** Why no page can be opened here; false where it can. */
export const NO_BROWSER: string | false =
  CHROMIUM === undefined &&
  'there is no Chromium: `npx playwright-core install chromium`, or CHROMIUM_PATH=<path>, lets it run in a browser';

/** What CHROMIUM_PATH says, what the system has, or what playwright has installed. */
function findChromium(): string | undefined {
  const named = process.env.CHROMIUM_PATH;
  if (named !== undefined) return named;
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const onPath = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return [...PATHS, ...onPath, chromium.executablePath()].find((file) => existsSync(file));
}

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
 * A page of a real browser that can import transformers.js and onnxruntime-web and loads models by the names
 * of folders in `models`. `page.evaluate` runs functions in it. The browser goes when the test ends.
 */
export async function openPage(t: Pick<TestContext, 'after'>, models: string): Promise<Page> {
  const folders = { node_modules: path.join(repoRoot, 'node_modules'), models };
  const server = await serveFolders(folders, PAGE);
  t.after(() => server.close());
  const browser = await launchBrowser(t);
  const page = await browser.newPage();
  await page.goto(server.origin);
  await page.waitForFunction('document.title === "ready"');
  return page;
}

/** A real browser with WebGPU in software, until the test ends, under further flags. */
export async function launchBrowser(
  t: Pick<TestContext, 'after'>,
  flags: readonly string[] = [],
): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM!,
    args: [NO_SANDBOX, ...SOFTWARE_GPU, ...QUIET, ...flags],
  });
  t.after(() => browser.close());
  return browser;
}
