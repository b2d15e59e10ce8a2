import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { launchBrowser, NO_BROWSER } from '../support/drivers/browser.ts';
import { runCli } from '../support/drivers/run-cli.ts';
import { contrast } from '../support/oracles/contrast.ts';
import { fixture } from '../support/paths.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TINY = fixture('plm-tiny');

/** What WCAG 2 wants of text, level AA. */
const READABLE = 4.5;

/** The report of plm-tiny in Q4_K_M. */
async function writeReport(t: TestContext): Promise<string> {
  const output = path.join(temporaryFolder(t), 'out');
  const file = path.join(output, 'report.html');
  const { code, stderr } = await runCli([
    ...['convert', TINY, '--to', 'gguf:q4_k_m', '-o', output, '--quiet'],
    ...['--verify', '--text', fixture('text', 'eval.txt'), '--report', file],
  ]);
  assert.equal(code, 0, stderr);
  return file;
}

/** Opens a page; what it asks for beside itself, and what it complains of, goes to `trouble`. */
async function open(
  browser: Browser,
  file: string,
  options: BrowserContextOptions,
  trouble: string[],
): Promise<Page> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const url = pathToFileURL(file).href;
  page.on('request', (request) => request.url() !== url && trouble.push(request.url()));
  page.on('console', (message) => trouble.push(message.text()));
  page.on('pageerror', (error) => trouble.push(error.message));
  await page.goto(url);
  return page;
}

/** Every piece of text with its colour and the one behind it. */
function textColors(): { text: string; ink: string; behind: string }[] {
  const behind = (element: Element | null): string => {
    if (element === null) return 'rgb(255, 255, 255)';
    const { backgroundColor } = getComputedStyle(element);
    return backgroundColor === 'rgba(0, 0, 0, 0)' ? behind(element.parentElement) : backgroundColor;
  };
  const found: { text: string; ink: string; behind: string }[] = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement!;
    const text = node.textContent!.trim();
    if (text === '' || element.localName === 'title') continue;
    const { color, fill } = getComputedStyle(element);
    const isDrawn = element.namespaceURI === 'http://www.w3.org/2000/svg';
    // Names in the treemap lie on its cells, whose fills are tested with the palette.
    if (element.classList.contains('name')) continue;
    found.push({ text, ink: isDrawn ? fill : color, behind: behind(element) });
  }
  return found;
}

describe('the report of plm-tiny in a real browser', { skip: NO_BROWSER }, () => {
  it('asks for nothing, shows all its plots, and can be read in both themes and on a phone', async (t) => {
    const file = await writeReport(t);
    const browser = await launchBrowser(t);

    const trouble: string[] = [];
    const pages: Record<string, string> = {};
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await open(browser, file, { colorScheme }, trouble);
      const plots = page.locator('svg, table.heat');
      const boxes = await Promise.all((await plots.all()).map((plot) => plot.boundingBox()));
      // Treemap, two tables of the heat map, histogram, two curves, firing.
      assert.equal(boxes.length, 7);
      for (const box of boxes) assert.ok(box !== null && box.width > 100 && box.height > 20);
      for (const plot of await page.locator('svg').all()) assert.ok((await plot.boundingBox())!.height > 200);

      const colors = await page.evaluate(textColors);
      assert.ok(colors.length > 300);
      for (const { text, ink, behind } of colors) {
        assert.ok(contrast(ink, behind) >= READABLE, `${text}: ${ink} on ${behind} in ${colorScheme}`);
      }
      pages[colorScheme] = await background(page);
    }
    assert.ok(contrast(pages.light!, pages.dark!) > 10);

    const picked = await open(browser, file, { colorScheme: 'light' }, trouble);
    assert.equal(await background(picked), pages.light);
    await picked.getByLabel('dark').check();
    assert.equal(await background(picked), pages.dark);

    const phone = { viewport: { width: 375, height: 700 }, javaScriptEnabled: false };
    const small = await open(browser, file, phone, trouble);
    assert.equal(await widthOf(small), 375);
    for (const summary of await small.locator('summary').all()) await summary.click();
    assert.equal(await widthOf(small), 375);
    const table = small.locator('details table').first();
    assert.ok(await table.isVisible());
    assert.match(await cells(table), /model\.embed_tokens\.weight Q6_K 2048 x 256 430,080/);
    assert.equal(await small.locator('details table').count(), 6);
    assert.match((await small.locator('.worst').textContent()) ?? '', /expects “.*” with \d+\.\d\d %/);
    assert.deepEqual(trouble, []);
  });
});

async function cells(table: Locator): Promise<string> {
  return (await table.locator('td').allTextContents()).join(' ');
}

function background(page: Page): Promise<string> {
  return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
}

function widthOf(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth);
}
