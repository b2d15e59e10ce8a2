import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { press } from '../../src/press/press.ts';
import { serveBundles } from '../../src/serve/serve.ts';
import { launchBrowser } from '../../test/support/drivers/browser.ts';
import { NO_WORKGROUP_ZEROS } from '../../test/support/fakes/workgroup-zeros.ts';
import { fixture, repoRoot } from '../../test/support/paths.ts';
import { Cleanup } from '../cleanup.ts';

/** `npm run pictures`: makes the pictures of README out of the embedded model, as Chromium shows them. */
const QUESTION = 'What has the Congress to do?';
/** A GPU in software takes a while to compile the kernels. */
const SOFTWARE_MS = 120_000;
const VIEWPORT = { width: 1280, height: 800 };

const pictures = path.join(repoRoot, 'docs', 'pictures');
const folder = mkdtempSync(path.join(tmpdir(), 'plmpress-pictures-'));
const cleanup = new Cleanup();
cleanup.after(() => rmSync(folder, { recursive: true, force: true }));
try {
  mkdirSync(pictures, { recursive: true });
  const report = path.join(folder, 'report.html');
  await press({
    source: fixture('plm-tiny'),
    targets: ['gguf:q4_k_m', 'webgpu:q8'],
    output: folder,
    verify: true,
    reports: [report],
  });
  const browser = await launchBrowser(cleanup, [`--${NO_WORKGROUP_ZEROS}`]);
  const page = await browser.newPage({ viewport: VIEWPORT });
  await page.goto(pathToFileURL(report).href);
  await keep(page, 'report');

  const server = await serveBundles(folder, { host: '127.0.0.1', port: 0 });
  cleanup.after(() => server.close());
  await page.goto(`${server.url}webgpu-q8/`);
  const question = page.getByLabel('Your message');
  await question.waitFor({ timeout: SOFTWARE_MS });
  await page.getByLabel('Max tokens').fill('80');
  await question.fill(QUESTION);
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('.foot').waitFor({ timeout: SOFTWARE_MS });
  await keep(page, 'chat');
} finally {
  await cleanup.run();
}

async function keep(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: path.join(pictures, `${name}.png`) });
}
