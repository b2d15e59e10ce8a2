import assert from 'node:assert/strict';
import path from 'node:path';
import { it } from 'node:test';
import { serveBundles } from '../../src/serve/serve.ts';
import { readManifest } from '../support/builders/webgpu-bundle.ts';
import { writeWideBundle } from '../support/builders/wide-bundle.ts';
import { launchBrowser, NO_BROWSER } from '../support/drivers/browser.ts';
import { NO_PAGE_MEMORY, peakOfPages } from '../support/drivers/page-memory.ts';
import { NO_WORKGROUP_ZEROS } from '../support/fakes/workgroup-zeros.ts';

const SHARDS = 33;
const GIB = 2 ** 30;
/**
 * Weights lie in buffers of the GPU, which is another process. Two shards and a copy are 100 MB; what is garbage
 * goes when the browser likes, and 250 to 304 MB have been seen.
 */
const MAX_BYTES = 400e6;

it('a bundle of 1 GiB takes little memory while it is loaded', {
  skip: NO_BROWSER || NO_PAGE_MEMORY,
}, async (t) => {
  const folder = await writeWideBundle(t, SHARDS);
  const bytes = readManifest(folder).shards.reduce((sum, shard) => sum + shard.bytes, 0);
  assert.ok(bytes > GIB, `${bytes}`);
  const server = await serveBundles(path.dirname(folder), { host: '127.0.0.1', port: 0 });
  t.after(() => server.close());
  const browser = await launchBrowser(t, [`--${NO_WORKGROUP_ZEROS}`]);
  const context = await browser.newContext();
  const url = `${server.url}${path.basename(folder)}/`;
  for (const from of ['the network into the cache', 'the cache']) {
    const page = await context.newPage();
    // A document of the same origin that runs nothing itself.
    await page.goto(`${url}manifest.json`);
    const load = `import('${url}runtime.js').then(async (runtime) => {
      const model = await runtime.load('${url}', { contextLength: 16 });
      const { weightBytes } = await model.stats();
      model.dispose();
      return weightBytes;
    })`;
    let loaded = 0;
    const peak = await peakOfPages(browser, async () => {
      loaded = await page.evaluate(load);
    });
    assert.ok(loaded > GIB, `${loaded} bytes from ${from}`);
    assert.ok(peak <= MAX_BYTES, `${Math.round(peak / 1e6)} MB from ${from}`);
    await page.close();
  }
});
